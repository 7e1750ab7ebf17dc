# The commands CI runs, and a few more.
default: check

# Lint, types and all tests
check: lint types test

lint:
    uv run -q --group dev ruff check .
    uv run -q --group dev ruff format --check .
    uv run -q --group dev lint-imports

types:
    uv run -q --group dev ty check

test *arguments:
    uv run -q --group dev pytest {{arguments}}

# Everything but what needs a Prefect server or takes long
fast:
    uv run -q --group dev pytest -m "not flows and not slow and not e2e and not long"

# Kills, wheels, the documentation: more than three seconds each
slow:
    uv run -q --group dev pytest -m "slow and not e2e and not long"

# Kill relance in the middle of everything it does, and see what the next run makes of it: --kills 1000 --seed 1
kills *arguments:
    uv run -q --group dev python -m tests.chaos.kills {{arguments}}

# Mend what can be mended by itself
fix:
    uv run -q --group dev ruff check --fix .
    uv run -q --group dev ruff format .

bench:
    uv run -q --group dev python benchmarks/ingest.py

# Build the documentation into site/; a broken link or anchor ends it
docs:
    uv run -q --group docs python docs/from_code/stage.py build/docs
    uv run -q --group docs zensical build --strict
