"""What members may redeem."""
