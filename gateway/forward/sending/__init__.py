"""What was made goes to its destination: the queue of each, its order, its waits, its answers."""
