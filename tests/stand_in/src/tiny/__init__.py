"""A project whose commands are stand-ins: for tests of `deploy/ci-cd`, which ask what is run when, and not what it does."""
