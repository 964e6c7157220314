"""T's side of the seal: hidden tests, judged against handles on objects in another room."""
