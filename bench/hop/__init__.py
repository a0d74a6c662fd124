"""The durable hop: one event consumed, validated, kept in four tables, and a fact told of it, confirmed."""
