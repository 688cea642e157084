"""`cutaway models`: what can be asked for by name."""

from cutaway.cli import terminal
from cutaway.cli.options import Json
from cutaway.cli.quantities import scaled
from cutaway.cli.table import Column, print_table
from cutaway.weights import DEFAULT_MODEL, ModelListing, available_models


def models(*, json: Json = False) -> None:
    """List the models that are bundled, cached on this machine, or downloadable. Uses no network."""
    listings = list(available_models())
    if json:
        terminal.print_json({"default": DEFAULT_MODEL, "models": [to_dict(listing) for listing in listings]})
        return
    columns = [Column("model"), Column("state"), Column("size", right=True), Column("folder")]
    rows = [(model.name, model.state, scaled(model.size_bytes, "B"), str(model.folder or "")) for model in listings]
    print_table(columns, rows)
    print(f"\n{DEFAULT_MODEL} is the default; cutaway generate --model NAME fetches what is downloadable, once.")


def to_dict(listing: ModelListing) -> dict[str, object]:
    """A listing, ready for JSON."""
    folder = None if listing.folder is None else str(listing.folder)
    return {"name": listing.name, "state": listing.state, "size_bytes": listing.size_bytes, "folder": folder}
