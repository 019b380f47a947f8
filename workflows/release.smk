# One permit: snapshot + permit → cohort → aggregation → disclosure → measures → release.
# A run's folder is named by the permit, the snapshot and the version of uttag: nothing in it is ever made twice.

run = "projects/" + config["permit"] + "/runs/" + config["run"]
stage = "{config[uttag]} stage {rule} --permit {config[permit]:q} --snapshot {config[snapshot]:q}"

rule bundle:
    input: f"{run}/release.json"

rule cohort:
    output: f"{run}/cohort.json"
    threads: config["threads"]
    resources: mem_mb=config["memory"]["cohort"], dask=1
    shell: stage + " {config[workers]}"

rule aggregation:
    input: f"{run}/cohort.json"
    output: f"{run}/aggregation.json"
    threads: config["threads"]
    resources: mem_mb=config["memory"]["aggregation"], dask=1
    shell: stage + " {config[workers]}"

rule disclosure:
    input: f"{run}/aggregation.json"
    output: f"{run}/disclosure.json"
    resources: mem_mb=config["memory"]["disclosure"]
    shell: stage

rule measures:
    input: f"{run}/disclosure.json"
    output: f"{run}/measures.json"
    resources: mem_mb=config["memory"]["measures"]
    shell: stage

rule release:
    input: f"{run}/measures.json"
    output: f"{run}/release.json"
    resources: mem_mb=config["memory"]["release"]
    shell: stage
