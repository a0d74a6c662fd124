"""The plain table in which commands list things."""

from rich.table import Table


def plain_table(*headings: str, title: str | None = None) -> Table:
    """A table without lines; what does not fit is folded, never cut off."""
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
