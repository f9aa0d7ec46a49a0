"""Words of requests that are likely to be misread."""

METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"),
    *("get", "G\0T", "", "A" * 500, "GET GET", "PRI"),
)


FIXED_PATHS = (
    *("/", "*", "//", "/.", "/..", "/./../x", "/../../../../etc/passwd", "/.sdrest/jobs.sqlite3"),
    *("/text-to-image/../.sdrest/jobs.sqlite3", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc"),
    *(
        "/static/../access.py",
        "/static/%2e%2e/access.py",
        "/static/",
        "/static/app.js/",
        "/\\..\\x",
    ),
    *("/%00", "/%", "/%zz", "/%ff", "/%c0%ae%c0%ae/", "/?a=%", "/#", "http://evil/", "evil:80"),
    *("/" + "a" * 7000, "/" * 3000, "/?" + "a=b&" * 1500, "/metrics", "/openapi.json", "/docs"),
    *(
        "/healthz",
        "/readyz",
        "/session",
        "/events",
        "/favicon.ico",
        "/robots.txt",
        "/TEXT-TO-IMAGE",
    ),
)


NAMES = (
    *("Accept", "Accept-Encoding", "Authorization", "Cache-Control", "Connection", "Cookie"),
    *("Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "If-Match"),
    *("If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Last-Event-ID"),
    *("Origin", "Range", "Sec-Fetch-Site", "TE", "Transfer-Encoding", "Upgrade", "X-Forwarded-For"),
    *("Access-Control-Request-Method", "Access-Control-Request-Headers", "Access-Control-Foo"),
)


VALUES = (
    *(
        "",
        "*/*",
        "text/html;q=nan",
        ",,,;;;",
        "bytes=0-",
        "bytes=-0",
        "bytes=5-1",
        "bytes=" + "0-," * 900,
    ),
    *("bytes=99999999999999999999-", "close", "upgrade", "websocket", "h2c", "chunked", "gzip, br"),
    *(
        "identity",
        "100-continue",
        "100-Continue",
        "200-ok",
        "-1",
        "1e3",
        "99999999999999999999",
        "0",
    ),
    *(
        "null",
        "https://evil.example",
        "evil.example",
        "cross-site",
        "Bearer",
        "Bearer x",
        "Basic ==",
    ),
    *(
        'W/"x"',
        '"',
        "*",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 99 Foo 99999 99:99:99 +9999",
        "a" * 5000,
    ),
    *(
        "application/json; charset=utf-7",
        "application/json; charset=rot13",
        "text/plain",
        "multipart/",
    ),
    *(
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\xff",
    ),
    *("application/x-www-form-urlencoded; charset=latin1", "sdrest=1; ;=; a", "\tx\t", "é", "\x7f"),
)


ENDINGS = (
    *("", "/", "/1.png", "/0.png", "/999999.png", "/1.png?size=256", "/1.png?size=-1", "/1.jpg"),
    *("/cancel", "/retry", "/events", "/cancel/x", "?wait=nan", "?wait=-1", "/../..", "/1.png/"),
)
