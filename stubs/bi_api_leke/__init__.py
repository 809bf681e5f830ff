"""bi-api-leke: the second connector, products and sales by cursor; reached by an explicit URL."""
