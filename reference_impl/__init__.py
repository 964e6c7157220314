"""Reference answers, to be read and taught from; hidden tests compare with them."""
