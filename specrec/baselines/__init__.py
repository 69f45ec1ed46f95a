"""What every report stands beside: one small file for each peer."""
