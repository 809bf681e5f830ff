"""bi-api-jushuitan: an e-commerce ERP connector with orders, inventory and signed call-backs."""
