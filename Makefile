# Everything that the course does, by one word each: `make help`.
SHELL := bash
VENV ?= .venv
PYTHON := $(VENV)/bin/python
PORT ?= 8888
AIRFLOW_PORT ?= 8090
FLINK_PORT ?= 8081
PAGE_PORT ?= 8070
PROMETHEUS_PORT ?= 9190
ALERTMANAGER_PORT ?= 9193
SERVING ?= 127.0.0.1:8501
OUTPUT ?= out/pipelines/flights
LESSON ?= notebooks/00-first-pipeline.ipynb
BROWSER_FLAG := $(if $(filter no,$(BROWSER)),--no-browser)
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb)
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help lab update project test test-all test-fast data notebooks decks labs hand-out grade readme bench lock format year image browser-page flink flink-cluster monitoring environment airflow airflow-environment clean distclean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: environment data ## make the environment and the data, then open JupyterLab at lesson 00 (PORT=8888, BROWSER=no)
	@exec $(PYTHON) -m jupyterlab --config=tools/setup/jupyter_lab_config.py --ServerApp.port=$(PORT) $(BROWSER_FLAG) \
	    --LabApp.default_url=/lab/tree/$(LESSON)

update: environment ## bring the newest lessons, and keep what you have written into yours (in mine/)
	@$(PYTHON) -m tools.setup.update

# What each change must show is everything but the tests with the mark `long`; `make test-all` runs those as well.
test: WHICH := -m "not long"
test: environment airflow-environment data ## what each change must show: unit, contract, notebooks, pipeline, grading, browser (minutes)
	@bash deploy/flink/fetch.sh --if-possible
	@bash deploy/flink/fetch-cluster.sh --if-possible
	@bash deploy/browser/fetch.sh --if-possible
	@# Three workers for two cores: tests wait for servers, browsers and each other's processes. What is long comes first (tests/worker_groups.py).
	@rm -rf out/reports/seconds
	$(PYTHON) -m pytest tests -n 3 --dist loadgroup --no-loadscope-reorder -q $(WHICH) --seconds out/reports/seconds

test-all: ## that and the long proofs: killed everywhere, hostile submissions, containers
	@$(MAKE) --no-print-directory test WHICH=

test-fast: environment ## run the unit and contract checks only (one to four minutes)
	$(PYTHON) -m pytest tests/unit tests/contract -n 3 --dist loadgroup -q -m "not slow and not long"

data: environment ## build the full year of flights, checked, into out/data (seconds)
	@$(PYTHON) -m tools.data year

notebooks: environment ## execute lessons and store their outputs (NOTEBOOKS="notebooks/02-plan.ipynb")
	$(PYTHON) -m tools.notebooks save $(NOTEBOOKS)

decks: environment ## turn each lesson into slides under out/decks
	$(PYTHON) -m tools.decks

labs: environment ## make the labs that students get from the solutions
	$(PYTHON) -m tools.labs

hand-out: environment ## copy the labs for a class, with its salt: FOLDER=class (SALT=2026-a)
	@$(PYTHON) -m tools.labs hand-out "$(FOLDER)" --salt "$(SALT)"

grade: environment ## grade a folder of submissions: SUBMISSIONS=folder LAB=lab-1-data (more: INSTRUCTORS.md)
	@$(PYTHON) -m tools.grade "$(SUBMISSIONS)" $(if $(LAB),--lab "$(LAB)") $(if $(NAMES),--names "$(NAMES)") $(if $(SALT),--salt "$(SALT)") \
	    $(if $(STUDENT),--student "$(STUDENT)") $(if $(LATE),--late "$(LATE)") $(if $(PER_DAY),--per-day "$(PER_DAY)") $(if $(CONTAIN),--contain "$(CONTAIN)") \
	    $(if $(AT_A_TIME),--at-a-time $(AT_A_TIME)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(MEMORY),--memory $(MEMORY))

readme: environment ## renew the table of lessons in the README
	$(PYTHON) -m tools.docs readme

bench: environment data ## measure set-up, imports, lesson 00, the pipeline, its engines, the model server and a month in operation on your machine; write out/bench.md
	$(PYTHON) -m tools.bench

lock: environment ## renew the locked requirements from pyproject.toml (UPGRADE=1 lets every version move)
	bash tools/setup/lock.sh

format: environment ## format and lint the code
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

project: environment ## start a project of your own from the pipeline: NAME=my_project FOLDER=../my-project
	@$(PYTHON) -m tools.project "$(NAME)" "$(FOLDER)"

year: environment ## go through a year in service, in minutes: serve, log, watch, decide, retrain, release (ENGINE=airflow, DATA=out/data/flights); again: on from where it was
	@exec $(PYTHON) -m tools.year $(if $(DATA),--data-root "$(DATA)") $(if $(ENGINE),--engine "$(ENGINE)") $(if $(FOLDER),--folder "$(FOLDER)")

image: ## build the image of the course, for containers (BASE=... for another base)
	@bash deploy/image/build.sh

browser-page: environment ## put the newest pushed model into a page that needs no server to predict, and show it (PAGE_PORT=8070; npm, once)
	@bash deploy/browser/build.sh out/browser
	@$(VENV)/bin/flights export --to litert --folder out/browser/model
	@exec $(PYTHON) -m http.server $(PAGE_PORT) --bind 127.0.0.1 --directory out/browser

flink: environment ## fetch Beam's job server for Flink (needs Java and Maven; 150 MB, once)
	@bash deploy/flink/fetch.sh
	@echo "Flink is ready. To run the pipeline on it: $(VENV)/bin/flights run --engine flink"

flink-cluster: flink ## run a Flink cluster with its web page on this machine until Ctrl-C (FLINK_PORT=8081)
	@bash deploy/flink/fetch-cluster.sh
	@exec $(PYTHON) -m engines.flink.cluster --port $(FLINK_PORT)

monitoring: environment ## run Prometheus and Alertmanager on this machine until Ctrl-C (PROMETHEUS_PORT=9190, ALERTMANAGER_PORT=9193, SERVING=127.0.0.1:8501, OUTPUT=out/pipelines/flights)
	@exec $(PYTHON) -m operation.monitoring "$(OUTPUT)" --serving "$(SERVING)" --port $(PROMETHEUS_PORT) --alertmanager-port $(ALERTMANAGER_PORT)

airflow: airflow-environment ## start Airflow, with the pipeline as a DAG, and print the address of its web page (AIRFLOW_PORT=8090)
	@exec $(PYTHON) -m engines.airflow.home --port $(AIRFLOW_PORT) standalone

airflow-environment: environment ## make or repair the environment of Airflow in .airflow (less than a minute, half a GB with its cache)
	@bash deploy/airflow/environment.sh

environment: ## make or repair the environment in .venv
	@bash tools/setup/environment.sh

clean: ## delete what runs wrote (out/)
	rm -rf out

distclean: clean ## delete the environment as well
	rm -rf .venv .airflow .tools
