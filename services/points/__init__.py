"""Points 党员积分: what members earned, how it is shown, and what it is worth."""
