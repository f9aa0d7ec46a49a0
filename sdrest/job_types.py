"""The types of jobs and the names that requests choose from."""

from enum import StrEnum, unique


@unique
class JobType(StrEnum):
    """The types of jobs; the value is the route."""

    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    INPAINT_IMAGE = "inpaint-image"

    @property
    def uploads(self) -> tuple[str, ...]:
        """Names of the files that a request must contain."""
        return _UPLOADS[self]

    @property
    def optional_uploads(self) -> tuple[str, ...]:
        """Names of the files that a request may contain besides."""
        return _OPTIONAL_UPLOADS.get(self, ())

    @property
    def all_uploads(self) -> tuple[str, ...]:
        """Names of the files that a request must or may contain."""
        return self.uploads + self.optional_uploads


_UPLOADS = {
    JobType.TEXT_TO_IMAGE: (),
    JobType.IMAGE_TO_IMAGE: ("image",),
    JobType.INPAINT_IMAGE: ("image", "mask"),
}
_OPTIONAL_UPLOADS = {JobType.IMAGE_TO_IMAGE: ("mask",)}


@unique
class Sampler(StrEnum):
    """How noise becomes a picture."""

    DDIM = "ddim"
    PLMS = "plms"


Sampler.__doc__ = "How noise becomes a picture."  # pydantic puts it into schemas; -OO strips it
