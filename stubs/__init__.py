"""The bi-* stand-ins: five small HTTP + gRPC services that behave like the platform's own, started by command."""
