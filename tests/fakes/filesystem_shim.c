/* Makes system calls below the folder SHIM_ROOT fail as those of poorer file systems do.

   SHIM_FAULTS is a list such as "flock=ENOLCK,symlink=EPERM": flock, posix_lock, fsync_folder,
   symlink, link, rename (into another folder), shared_memory (of SQLite), chmod. Loaded by
   LD_PRELOAD; Linux with glibc only. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct { const char *name; int number; } ERRORS[] = {
    {"ENOLCK", ENOLCK}, {"ENOSYS", ENOSYS}, {"EOPNOTSUPP", EOPNOTSUPP}, {"EINVAL", EINVAL},
    {"EPERM", EPERM}, {"EACCES", EACCES}, {"EXDEV", EXDEV}, {"ENODEV", ENODEV}, {"EIO", EIO},
    {"EROFS", EROFS}, {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC},
};

static int fault(const char *name) {
    const char *at = getenv("SHIM_FAULTS");
    size_t length = strlen(name);
    while (at) {
        if (!strncmp(at, name, length) && at[length] == '=') {
            const char *value = at + length + 1;
            for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
                size_t size = strlen(ERRORS[i].name);
                if (!strncmp(value, ERRORS[i].name, size) && (!value[size] || value[size] == ','))
                    return ERRORS[i].number;
            }
        }
        at = strchr(at, ',');
        if (at) at++;
    }
    return 0;
}

static int below(const char *path) {
    const char *root = getenv("SHIM_ROOT");
    return root && !strncmp(path, root, strlen(root));
}

/* The path of an open file, and whether it lies below the root. */
static int located(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, 4095);
    path[length < 0 ? 0 : length] = 0;
    return below(path);
}

/* The folder of a path that may be relative to an open folder. */
static int folder_of(int folder, const char *path, char *result) {
    char start[4096] = "";
    if (path[0] != '/') {
        if (folder == AT_FDCWD) { if (!getcwd(start, sizeof start)) return 0; }
        else located(folder, start);
    }
    snprintf(result, 8192, "%s%s%s", start, path[0] == '/' ? "" : "/", path);
    char *slash = strrchr(result, '/');
    if (slash) *slash = 0;
    return below(result);
}

#define FAIL(name) do { int number = fault(name); if (number) { errno = number; return -1; } } while (0)
#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

int flock(int descriptor, int operation) {
    char path[4096];
    if (located(descriptor, path)) FAIL("flock");
    return REAL(flock)(descriptor, operation);
}

int fsync(int descriptor) {
    char path[4096];
    struct stat status;
    if (located(descriptor, path) && !fstat(descriptor, &status)) {
        if (S_ISDIR(status.st_mode)) FAIL("fsync_folder");
        else FAIL("fsync_file");
    }
    return REAL(fsync)(descriptor);
}

static int locking(int descriptor, int command) {
    char path[4096];
    return (command == F_SETLK || command == F_SETLKW) && located(descriptor, path);
}

int fcntl(int descriptor, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (locking(descriptor, command)) FAIL("posix_lock");
    return REAL(fcntl)(descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (locking(descriptor, command)) FAIL("posix_lock");
    return REAL(fcntl64)(descriptor, command, argument);
}

int symlinkat(const char *target, int folder, const char *path) {
    char place[8192];
    if (folder_of(folder, path, place)) FAIL("symlink");
    return REAL(symlinkat)(target, folder, path);
}

int symlink(const char *target, const char *path) {
    char place[8192];
    if (folder_of(AT_FDCWD, path, place)) FAIL("symlink");
    return REAL(symlink)(target, path);
}

int linkat(int from, const char *source, int to, const char *target, int flags) {
    char place[8192];
    if (folder_of(to, target, place)) FAIL("link");
    return REAL(linkat)(from, source, to, target, flags);
}

int link(const char *source, const char *target) {
    char place[8192];
    if (folder_of(AT_FDCWD, target, place)) FAIL("link");
    return REAL(link)(source, target);
}

int renameat(int from, const char *source, int to, const char *target) {
    char first[8192], second[8192];
    if (folder_of(from, source, first) && folder_of(to, target, second) && strcmp(first, second))
        FAIL("rename");
    return REAL(renameat)(from, source, to, target);
}

int rename(const char *source, const char *target) {
    char first[8192], second[8192];
    if (folder_of(AT_FDCWD, source, first) && folder_of(AT_FDCWD, target, second) &&
        strcmp(first, second))
        FAIL("rename");
    return REAL(rename)(source, target);
}

int chmod(const char *path, mode_t mode) {
    char place[8192];
    if (folder_of(AT_FDCWD, path, place)) FAIL("chmod");
    return REAL(chmod)(path, mode);
}

int fchmod(int descriptor, mode_t mode) {
    char path[4096];
    if (located(descriptor, path)) FAIL("chmod");
    return REAL(fchmod)(descriptor, mode);
}

static int shared(int descriptor, int flags) {
    char path[4096];
    if (!(flags & MAP_SHARED) || descriptor < 0 || !located(descriptor, path)) return 0;
    size_t length = strlen(path);
    return length > 4 && !strcmp(path + length - 4, "-shm") ? fault("shared_memory") : 0;
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
    int number = shared(descriptor, flags);
    if (number) { errno = number; return MAP_FAILED; }
    return REAL(mmap)(address, length, protection, flags, descriptor, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int descriptor, off64_t offset) {
    int number = shared(descriptor, flags);
    if (number) { errno = number; return MAP_FAILED; }
    return REAL(mmap64)(address, length, protection, flags, descriptor, offset);
}
