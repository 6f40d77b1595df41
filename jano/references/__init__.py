"""References of an edit (pictures that never change), seen through cached keys and values between computations."""
