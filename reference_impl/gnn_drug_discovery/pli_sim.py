"""A simulator of binding between drugs and pockets whose variance has known shares."""
