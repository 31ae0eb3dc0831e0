"""What to do next, given a posterior: a learning rate, estimates, further runs, a choice between laws."""
