"""Results to embeds and buttons: pure functions, a file per topic."""
