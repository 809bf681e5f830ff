"""bi-basic: tenants, users and the login that hands out JWTs."""
