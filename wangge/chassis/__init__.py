"""What every service stands on: bus, outbox, inbox, database, HTTP, auth, clock, health; knows no noun of the domain."""
