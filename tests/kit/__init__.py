"""What scenarios and fault tests are told with: a town, its people and publishers, and what must always hold."""
