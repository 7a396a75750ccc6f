"""The report as one HTML page without a network: its content, its charts, its template."""
