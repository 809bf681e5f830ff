"""bi-analysis: queries with a price, reports, and a CSV export as long as you like."""
