"""The only thing both rooms share: frames, typed values, and the questions asked with them."""
