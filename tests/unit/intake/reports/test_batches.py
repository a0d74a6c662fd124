import io
import json

import pytest

from services.intake.reports.batches import LINE_BYTES, PORTION, Line, answers, lines_of


def numbered(body):
    return [(line.number, line.body) for line in lines_of(io.BytesIO(body))]


def test_lines_are_numbered_as_an_editor_would_and_empty_ones_have_no_receipt():
    assert numbered(b'{"a":1}\n\n  \r\n{"b":2}') == [(1, b'{"a":1}\n'), (4, b'{"b":2}')]


def test_no_body_has_no_lines():
    assert numbered(b"") == []


def test_a_line_that_is_too_long_is_named_and_the_next_one_is_read():
    long = b"x" * (3 * LINE_BYTES)
    assert numbered(b"1\n" + long + b"\n3\n") == [(1, b"1\n"), (2, None), (3, b"3\n")]
    assert numbered(long) == [(1, None)]


@pytest.mark.parametrize("more", [0, 1])
def test_the_limit_of_a_line_leaves_out_its_end(more):
    body = b"x" * (LINE_BYTES + more) + b"\n2\n"
    assert [(n, None if b is None else len(b)) for n, b in numbered(body)] == [
        (1, None if more else LINE_BYTES + 1),
        (2, 2),
    ]


class Taken:
    """Takes portions and remembers their sizes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, portion: list[Line]) -> list[dict[str, int]]:
        self.sizes.append(len(portion))
        return [{"line": line.number} for line in portion]


def receipts(chunks):
    return [json.loads(line)["line"] for line in b"".join(chunks).splitlines()]


def test_every_line_gets_its_receipt_in_order_in_bounded_portions():
    taken = Taken()
    body = io.BytesIO(b"{}\n" * 1234)
    assert receipts(answers(body, taken, lambda: True)) == list(range(1, 1235))
    assert max(taken.sizes) <= PORTION


def test_receipts_wait_while_the_client_does_not_read():
    written: list[bytes] = []
    taken = Taken()
    chunks = answers(io.BytesIO(b"{}\n" * 500), taken, lambda: False)
    for chunk in chunks:
        assert sum(taken.sizes) == 500
        written.append(chunk)
    assert receipts(written) == list(range(1, 501))
