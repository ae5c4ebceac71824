"""What `make bench` measures of simulated reads: `speed` beside peers, `truth` at full size, and `page` shows it."""
