"""Models side by side: tuned, fitted and measured on the same cuts of the same data. `specrec evaluate` is its command.

- `process`: work in a process of its own, whose memory is the work's alone;
- `tuning`: a peer's settings, chosen on a validation set;
- `trial`: one model fitted on one cut: what it costs and how good it is;
- `comparison`: all models over all cuts;
- `record`, `table`, `pictures`: what is known afterwards, as JSON, as Markdown, as PNG.
"""
