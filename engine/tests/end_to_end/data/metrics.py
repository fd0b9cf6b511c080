"""Metrics as the parsers of prometheus_client take them, which refuse what is not in order.

metrics.py URL: prints the samples of both formats as JSON, by name and labels.
"""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_format

FORMATS = {
    "application/openmetrics-text; version=1.0.0": open_metrics,
    "text/plain": text_format,
}
told = []
for kind, parse in FORMATS.items():
    request = urllib.request.Request(sys.argv[1], headers={"Accept": kind})
    with urllib.request.urlopen(request) as response:
        content_type, text = response.headers["Content-Type"], response.read().decode()
    families = list(parse(text))
    told.append({
        "content_type": content_type,
        "families": {family.name: family.type for family in families},
        "samples": [[sample.name, sample.labels, sample.value] for family in families for sample in family.samples],
    })
print(json.dumps(told))
