# What each target runs is `python -m msw2.cli.<target>`; what it needs and is missing is made first.
RECIPE ?= tuned
FROM   ?=
DATA   ?= data/store
TRACK  ?=
MIDI   ?=
LPD    ?=
NPZ    ?=
REAL   ?=
MADE   ?=
CLUSTER ?=
FLAGS  ?=
RECIPE_SET ?= full
PYTHON ?= python3

# What is set is text to make, and reaches Python through the environment: no quote, space or dollar in it is read by
# make or the shell. FLAGS alone are words of the shell: a quote there quotes.
export MSW2_RECIPE := $(value RECIPE)
export MSW2_FROM   := $(value FROM)
export MSW2_RUN    := $(or $(value RUN),runs/$(if $(MSW2_FROM),from-$(basename $(notdir $(MSW2_FROM:/=))),$(MSW2_RECIPE)))
export MSW2_DATA   := $(value DATA)
export MSW2_TRACK  := $(value TRACK)
export MSW2_MIDI   := $(value MIDI)
export MSW2_LPD    := $(value LPD)
export MSW2_NPZ    := $(value NPZ)
export MSW2_REAL   := $(value REAL)
export MSW2_MADE   := $(value MADE)
export MSW2_CLUSTER := $(value CLUSTER)
export MSW2_RECIPE_SET := $(value RECIPE_SET)
export MSW2_PYTHON := $(value PYTHON)
unexport RECIPE FROM RUN DATA TRACK MIDI LPD NPZ REAL MADE CLUSTER RECIPE_SET PYTHON FLAGS
WORDS := $(value FLAGS)

# What the verbs are asked for.
TRACKS ?=
BARS   ?=
TO     ?=
POINTS ?=
AMOUNT ?=
export MSW2_TRACKS := $(value TRACKS)
export MSW2_BARS   := $(value BARS)
export MSW2_TO     := $(value TO)
export MSW2_POINTS := $(value POINTS)
export MSW2_AMOUNT := $(value AMOUNT)
unexport TRACKS BARS TO POINTS AMOUNT

PY     := .venv/bin/python
FIVE   := drums piano guitar bass strings
export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.PHONY: help install data stage1 refine stage2 finetune generate restore songs continue infill accompany interpolate vary eval eval-songs export serve figures page compare listening-test demo reproduce bench test torture test-browser wheel test-lowest sanitize lint clean

# What is there of a path, which may have stars. What wildcard would read in a name is any character: a question mark.
space := $() $()
there  = $(wildcard $(subst [,?,$(subst $(space),?,$(subst \,?,$(1)))))

# Weights of the run that a target needs; those that are not there name the target that makes them.
missing    = $(strip $(foreach part,$(1),$(if $(call there,$(MSW2_RUN)/weights/$(part).weights.h5),,$(part))))
BVAES     := $(foreach t,$(or $(MSW2_TRACK),$(FIVE)),$(t)_encoder $(t)_decoder)
ALL_BVAES := $(foreach t,$(FIVE),$(t)_encoder $(t)_decoder)
REFINERS  := $(foreach t,$(FIVE),$(t)_refiner)
TRAINED    = $(if $(PACKAGED),,$(if $(call missing,$(ALL_BVAES)),stage1) $(if $(call missing,$(REFINERS)),refine) \
             $(if $(call missing,mfg_encoder mfg_decoder),stage2))

# RUN may name packaged weights or a .keras file: there is nothing to train, and what is made goes to msw2-<name>.
PACKAGED  := $(filter tuned demo %.keras,$(subst $(space),_,$(MSW2_RUN)))
export MSW2_HOME := $(if $(PACKAGED),msw2-$(basename $(notdir $(MSW2_RUN))),$(MSW2_RUN))

# FLAGS go to what was asked for; trainings that are made on the way share those of the asked training.
asked      = $(if $(filter $(1),$(MAKECMDGOALS)),$(WORDS))
ON_RUN     = --run="$$MSW2_RUN"
ON_STORE   = --store="$$MSW2_DATA"
ON_CLUSTER = $(if $(MSW2_CLUSTER),--cluster="$$MSW2_CLUSTER")
TRAIN      = $(if $(MSW2_FROM),--from="$$MSW2_FROM",--recipe="$$MSW2_RECIPE") $(ON_RUN) $(ON_STORE)
ONE_TRACK  = $(if $(MSW2_TRACK),--track="$$MSW2_TRACK")
TRAIN_FLAGS = $(call asked,stage1 refine stage2 finetune)

help:
	@echo 'make demo                 everything, from nothing, in minutes: music, tables, a SavedModel'
	@echo 'make test                 the tests'
	@echo "make data                 songs -> $$MSW2_DATA   [MIDI=folder | LPD=folder | NPZ=file]"
	@echo 'make stage1 [TRACK=drums] the BVAEs          (all five without TRACK)'
	@echo 'make refine [TRACK=drums] the refiners'
	@echo 'make stage2               the MFG-VAE'
	@echo 'make finetune             all parts together   [FLAGS=--finetune_epochs=3]'
	@echo 'make generate | restore   music              [FLAGS=--midi=song.mid]'
	@echo 'make songs                8 songs of 64 bars'
	@echo 'make continue             bars after a song          MIDI=song.mid [BARS=16]'
	@echo 'make infill               bars of a song anew        MIDI=song.mid BARS=5-8'
	@echo 'make accompany            tracks to go with a song   MIDI=song.mid TRACKS=bass,drums'
	@echo 'make interpolate          from a phrase to another   MIDI=a.mid TO=b.mid [POINTS=7]'
	@echo 'make vary                 some bars of songs anew    MIDI=song.mid [AMOUNT=0.3]'
	@echo "make page                 $$MSW2_HOME/samples/index.html: hear them in a browser"
	@echo 'make eval | figures       tables and pictures'
	@echo 'make eval-songs           songs and verbs beside held-out songs   [FLAGS="--songs=8 --phrases=40"]'
	@echo 'make compare              songs of any model beside real ones   REAL=folder MADE=folder'
	@echo 'make listening-test       a page for listeners, as in Table II   [FLAGS=--clips=4]'
	@echo 'make export | serve       the next SavedModel, TF Serving   [FLAGS=--port=9001]'
	@echo 'make reproduce            every experiment of the paper and its dossier   [RECIPE_SET=smoke]'
	@echo 'make bench                how fast this machine does all that, against stock Keras and PyTorch'
	@echo 'make torture              damaged files, kills, full disks   [FLAGS="--seed=1 --kills=200"]'
	@echo 'make test-browser         the page, in Chromium and Firefox'
	@echo 'make wheel                the package for pip, in dist/'
	@echo 'make sanitize             the tests of the C functions, under AddressSanitizer and UBSan'
	@echo 'make test-lowest          the tests with the lowest versions that setup.cfg allows'
	@echo 'make lint | clean'
	@echo 'FROM=tuned                trainings begin with trained weights: tuned, demo, a run, or a .keras file'
	@echo 'CLUSTER=auto              data, stage1, refine and reproduce on a Ray cluster; also CLUSTER=host:port of its head'
	@echo "Variables: RECIPE=$$MSW2_RECIPE (paper, released, tuned, demo, smoke)  RUN=$$MSW2_RUN  DATA=$$MSW2_DATA  RECIPE_SET=$$MSW2_RECIPE_SET  FLAGS"

.venv/installed: setup.cfg setup.py $(wildcard msw2/kernels/*.[ch])
	"$$MSW2_PYTHON" -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

install: .venv/installed

SOURCE = $(if $(MSW2_MIDI),--midi="$$MSW2_MIDI") $(if $(MSW2_LPD),--lpd="$$MSW2_LPD") $(if $(MSW2_NPZ),--npz="$$MSW2_NPZ")

data: install
	$(PY) -m msw2.cli.data $(ON_STORE) $(SOURCE) $(ON_CLUSTER) $(call asked,data)

STORE = $(if $(call there,$(MSW2_DATA)/manifest.json),,data)

stage1: install $(STORE)
	$(PY) -m msw2.cli.stage1 $(TRAIN) $(ONE_TRACK) $(ON_CLUSTER) $(TRAIN_FLAGS)

refine: install $(STORE) $(if $(call missing,$(BVAES)),stage1)
	$(PY) -m msw2.cli.refine $(TRAIN) $(ONE_TRACK) $(ON_CLUSTER) $(TRAIN_FLAGS)

stage2: install $(STORE) $(if $(call missing,$(ALL_BVAES)),stage1)
	$(PY) -m msw2.cli.stage2 $(TRAIN) $(TRAIN_FLAGS)

finetune: install $(STORE) $(TRAINED)
	$(PY) -m msw2.cli.finetune $(TRAIN) $(TRAIN_FLAGS)

generate export: install $(TRAINED)
	$(PY) -m msw2.cli.$@ $(ON_RUN) $(call asked,$@)

# A MIDI file needs no store.
restore: install $(if $(findstring --midi,$(WORDS)),,$(STORE)) $(TRAINED)
	$(PY) -m msw2.cli.$@ $(ON_RUN) $(ON_STORE) $(call asked,$@)

# The verbs take the packaged weights unless a run is named. They train nothing: nobody waits for hours to continue a
# song.
NAMED      = $(filter-out file undefined,$(origin RUN) $(origin RECIPE) $(origin FROM))
export MSW2_VERB_RUN := $(if $(NAMED),$(MSW2_RUN),tuned)
VERB       = --run="$$MSW2_VERB_RUN"
given      = $(if $(value $(1)),--$(2)="$$MSW2_$(1)")

songs: install
	$(PY) -m msw2.cli.generate $(VERB) --songs=8 --bars=64 $(call asked,$@)

continue infill: OWN = $(call given,BARS,bars)
accompany:       OWN = $(call given,TRACKS,tracks)
interpolate:     OWN = $(call given,TO,to) $(call given,POINTS,points)
vary:            OWN = $(call given,AMOUNT,amount)

continue infill accompany interpolate vary: install $(if $(value MIDI),,$(STORE))
	$(PY) -m msw2.cli.$(@:continue=continue_) $(VERB) $(ON_STORE) $(call given,MIDI,midi) $(OWN) $(call asked,$@)

eval figures: install $(STORE) $(TRAINED)
	$(PY) -m msw2.cli.$@ $(ON_RUN) $(ON_STORE) $(call asked,$@)

eval-songs: install $(STORE)
	$(PY) -m msw2.cli.eval_songs $(VERB) $(ON_STORE) $(call asked,$@)

listening-test: install $(STORE) $(TRAINED)
	$(PY) -m msw2.cli.listening_test $(ON_RUN) $(ON_STORE) $(call asked,$@)

page: install $(if $(call there,$(MSW2_HOME)/samples/*/*.mid),,generate)
	$(PY) -m msw2.cli.page --folder="$$MSW2_HOME/samples" $(call asked,page)

# Of any model, on folders of MIDI or pypianoroll files.
compare: install
	$(PY) -m msw2.cli.compare --real="$$MSW2_REAL" --made="$$MSW2_MADE" $(call asked,$@)

serve: install $(if $(call there,$(MSW2_HOME)/export/msw2/*/saved_model.pb),,export)
	$(PY) -m msw2.cli.serve $(ON_RUN) $(call asked,$@)

# Two commands side by side; a GPU has one process at a time.
TWO = $(if $(shell command -v nvidia-smi),,-j2)

# An export that is there stays: another one would be a version more.
DEMO = $(MAKE) --no-print-directory RECIPE=demo RUN=runs/demo DATA="$$MSW2_DATA"

demo: install $(STORE)
	$(DEMO) stage1
	$(DEMO) $(TWO) refine stage2
	$(DEMO) $(TWO) generate restore eval $(if $(wildcard runs/demo/export/msw2/*/saved_model.pb),,export) figures
	$(DEMO) page

reproduce: install $(STORE)
	$(PY) -m msw2.cli.reproduce --set="$$MSW2_RECIPE_SET" $(ON_STORE) $(ON_CLUSTER) $(call asked,$@)

bench: install
	$(PY) -m msw2.cli.bench $(call asked,bench)

test: install
	$(PY) -m pytest -n auto --dist worksteal

# Campaigns against all that goes wrong; tests/torture/__main__.py has their options.
torture: install
	$(PY) tests/torture $(call asked,torture)

# In the browsers of this machine, which it fails without; their screenshots go to a folder.
test-browser: install
	MSW2_TEST_BROWSER=build/browser $(PY) -m pytest tests/browser -n0

# What pip installs anywhere: weights, recipes and compiled kernels are inside.
wheel: install
	rm -rf build/lib* build/bdist*
	$(PY) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

# The suite with the lowest versions that setup.cfg allows.
LOWEST := .venv-lowest/bin/python

.venv-lowest/installed: setup.cfg setup.py tests/lowest.py
	"$$MSW2_PYTHON" -m venv --clear .venv-lowest
	$(LOWEST) tests/lowest.py > .venv-lowest/pins.txt
	$(LOWEST) -m pip install --quiet --disable-pip-version-check --constraint .venv-lowest/pins.txt --editable '.[test]'
	@touch $@

test-lowest: .venv-lowest/installed
	$(LOWEST) -m pytest -n auto --dist worksteal

# A copy of the kernels is compiled and tested by itself: Python puts the folder that it starts in before all others.
SANITIZE = build/sanitize
sanitize: install
	rm -rf $(SANITIZE)
	mkdir -p $(SANITIZE)/msw2
	cp -r msw2/__init__.py msw2/kernels $(SANITIZE)/msw2
	cp tests/kernels/test_compiled.py $(SANITIZE)
	rm -f $(SANITIZE)/msw2/kernels/*.so
	CFLAGS='-g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined' \
	  $(PY) setup.py --quiet build_ext --force --build-lib $(SANITIZE) --build-temp $(SANITIZE)/objects
	cd $(SANITIZE) && LD_PRELOAD=$$(cc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
	  $(abspath $(PY)) -m pytest test_compiled.py

lint: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

clean:
	rm -rf .venv .venv-lowest build dist *.egg-info .pytest_cache .ruff_cache
