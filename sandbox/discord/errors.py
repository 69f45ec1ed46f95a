"""Discord's refusals, in the shape and with the codes of its API."""

from typing import Any

# code -> HTTP status, message
_KNOWN: dict[int, tuple[int, str]] = {
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    20012: (403, "You are not authorized to perform this action on this application"),
    30032: (400, "Maximum number of application commands reached"),
    30034: (400, "Max number of daily application command creates has been reached"),
    40001: (401, "401: Unauthorized"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    40094: (400, "Maximum number of follow-up messages for this interaction reached"),
    50001: (403, "Missing Access"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50013: (403, "Missing Permissions"),
    50027: (401, "Invalid Webhook Token"),
    50033: (400, "Invalid Recipient(s)"),
    50041: (400, "Invalid API version provided"),
    50109: (400, "The request body contains invalid JSON."),
    50278: (403, "Cannot send messages to this user due to having no mutual guilds"),
}

Path = tuple[str | int, ...]


class ApiError(Exception):
    """One refusal: HTTP `status`, Discord's `code`, and for a form the nested `errors` object."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    @classmethod
    def known(cls, code: int) -> "ApiError":
        """The refusal that Discord lists under this code."""
        status, message = _KNOWN[code]
        return cls(status, code, message)

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


class Form:
    """Collects what is wrong with one request body; `close` raises it all as one 50035."""

    def __init__(self) -> None:
        self._errors: dict[str, Any] = {}

    def refuse(self, path: Path, code: str, message: str) -> None:
        """Note one fault at `path`, e.g. `("embeds", 0, "title")`."""
        place = self._errors
        for step in path:
            place = place.setdefault(str(step), {})
        place.setdefault("_errors", []).append({"code": code, "message": message})

    def length(self, path: Path, value: object, longest: int, shortest: int = 0) -> None:
        """`value` must be text of `shortest` to `longest` characters; None passes where nothing is required."""
        if value is None:
            if shortest:
                self.required(path)
        elif not isinstance(value, str):
            self.refuse(path, "BASE_TYPE_BAD_STRING", "Could not interpret value as string.")
        elif len(value) > longest:
            self.refuse(path, "BASE_TYPE_MAX_LENGTH", f"Must be {longest} or fewer in length.")
        elif not value and shortest:
            self.required(path)
        elif len(value) < shortest:
            self.refuse(path, "BASE_TYPE_MIN_LENGTH", f"Must be {shortest} or more in length.")

    def number(self, path: Path, value: object, low: int, high: int) -> None:
        """`value` must be None or a whole number in `low`…`high`."""
        if value is None:
            return
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
        elif value < low:
            self.refuse(path, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {low}.")
        elif value > high:
            self.refuse(path, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {high}.")

    def items(self, path: Path, value: object, most: int, least: int = 0) -> list[Any]:
        """`value` must be a list of `least` to `most` entries (None counts as empty); returns it for walking."""
        entries = [] if value is None else value
        if not isinstance(entries, list):
            self.refuse(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return []
        if not entries and least:
            self.required(path)
        elif not least <= len(entries) <= most:
            message = (
                f"Must be between {least} and {most} in length." if least else f"Must be {most} or fewer in length."
            )
            self.refuse(path, "BASE_TYPE_BAD_LENGTH" if least else "BASE_TYPE_MAX_LENGTH", message)
        return entries

    def choice(self, path: Path, value: object, allowed: tuple[int, ...]) -> bool:
        """`value` must be one of `allowed`; says whether it is."""
        if value in allowed:
            return True
        self.refuse(path, "BASE_TYPE_CHOICES", f"Value must be one of {set(allowed)}.")
        return False

    def url(self, path: Path, value: object, longest: int = 2048, schemes: tuple[str, ...] = ("http", "https")) -> None:
        """`value` must be None or an address with one of `schemes`."""
        if value is None:
            return
        self.length(path, value, longest, 1)
        scheme, colon, rest = str(value).partition("://")
        if not colon or not rest or any(letter.isspace() for letter in rest):
            self.refuse(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")
        elif scheme not in schemes:
            message = f'Scheme "{scheme}" is not supported. Scheme must be one of {schemes}.'
            self.refuse(path, "URL_TYPE_INVALID_SCHEME", message)

    def required(self, path: Path) -> None:
        """The entry at `path` is missing or empty."""
        self.refuse(path, "BASE_TYPE_REQUIRED", "This field is required")

    def close(self) -> None:
        """Raises the 50035 when anything was refused."""
        if self._errors:
            raise ApiError(400, 50035, "Invalid Form Body", self._errors)
