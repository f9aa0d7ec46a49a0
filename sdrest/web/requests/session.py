"""`/session`: the token becomes a cookie, for what a page cannot give a header to.

That is EventSource, images and downloads. The cookie is derived from the token: nothing is
stored, it outlives a restart, and a new token ends it.
"""

from http import HTTPStatus

from aiohttp import web

from sdrest.errors import FieldError, InvalidRequestError, UnauthorizedError
from sdrest.web import keys
from sdrest.web.requests.access import ACCESS
from sdrest.web.requests.forms import read_json
from sdrest.web.requests.proxy import address, prefix

_YEAR = 365 * 86_400


async def open_session(request: web.Request) -> web.Response:
    """Answer 204 with the cookie, or 401. Without a token of the server there is none to set."""
    access = request.app[ACCESS]
    token = (await read_json(request)).get("token", "")
    answer = web.Response(status=HTTPStatus.NO_CONTENT)
    if access.locked:
        if not (isinstance(token, str) and access.knows(token)):
            raise UnauthorizedError("This is not the server's token.")
        answer.set_cookie(
            access.cookie_name,
            access.cookie_value,
            max_age=_YEAR,
            path=f"{prefix(request)}/",
            secure=_is_secure(request),
            httponly=True,
            samesite="Strict",
        )
    elif not isinstance(token, str):
        raise InvalidRequestError([FieldError("token", "Should be a text.")])
    return answer


async def close_session(request: web.Request) -> web.Response:
    """Answer 204 and remove the cookie from the browser."""
    answer = web.Response(status=HTTPStatus.NO_CONTENT)
    access = request.app[ACCESS]
    if access.locked:
        answer.del_cookie(access.cookie_name, path=f"{prefix(request)}/")
    return answer


def _is_secure(request: web.Request) -> bool:
    """Whether the client speaks HTTPS, be it to a trusted proxy or to the server."""
    scheme = address(request).scheme
    return not request.app[keys.SETTINGS].plain_http if scheme is None else scheme == "https"
