"""Units: organisations that can be handed a case."""
