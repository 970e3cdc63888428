# Lints the chart, renders it with each of the given values, and checks each object against the schemas of Kubernetes.
import json, sys, yaml
import helm_python as helm
import kubernetes_validate

chart, version, cases = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
linted = helm.lint(chart)
answer = {"lint": [m for m in linted["messages"] if m["severity"] > 1] + linted["errors"], "rendered": []}
with helm.Chart.load(chart) as loaded:
    for values in cases:
        try:
            manifests = loaded.render(values, name="demo", namespace="ml")
        except helm.HelmError as error:
            answer["rendered"].append({"refused": str(error)})
            continue
        objects, problems = [], []
        for file, text in manifests.items():
            if not file.endswith(".yaml"):
                continue
            for made in yaml.safe_load_all(text):
                if made is None:
                    continue
                objects.append(made)
                try:
                    kubernetes_validate.validate(made, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    problems.append(f"{file} {made['kind']}: {list(error.path)} {error.message}")
        answer["rendered"].append({"objects": objects, "problems": problems})
print(json.dumps(answer))
