"""Read what people have: tables, drawings, antenna patterns, measurements."""
