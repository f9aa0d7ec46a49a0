"""`txt2img` and `img2img`: each picture is a job, and the answer waits for all of them."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdrest import metadata
from sdrest.errors import FieldError, InvalidRequestError, NotFoundError, StoppingError
from sdrest.jobs.model import Job, Status
from sdrest.jobs.spool import Spool
from sdrest.jobs.submission import JobRequest
from sdrest.pictures import PictureError
from sdrest.web import keys
from sdrest.web.dialects.a1111 import base64_pictures, canvas, info
from sdrest.web.dialects.a1111.answers import respond
from sdrest.web.dialects.a1111.canvas import Canvas
from sdrest.web.dialects.a1111.fields import Img2Img, Txt2Img, read
from sdrest.web.dialects.a1111.generations import GENERATIONS, Generation
from sdrest.web.dialects.a1111.mapping import Plan, plan
