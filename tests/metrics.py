# metrics.py FILE: the samples in a file of metrics for Prometheus, by the parser of its own
# client, each as name|labels|value; what that parser lets pass is checked here.
import re
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
text = open(sys.argv[1], encoding="utf-8", newline="").read()
assert text.endswith("\n") and "\r" not in text
done, last = set(), None
for line in text.splitlines():
    m = re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line) or re.fullmatch(
        r'()([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\"n])*")*\})? -?\d+', line)
    assert m, line
    if m[2] != last:
        assert m[1] == "HELP" and m[2] not in done, line
        done.add(m[2])
        last = m[2]
seen = set()
for family in parse(text):
    assert family.type == "gauge" and family.documentation, family
    for s in family.samples:
        key = (s.name, tuple(sorted(s.labels.items())))
        assert key not in seen, key
        seen.add(key)
        labels = " ".join(f"{k}={v}" for k, v in s.labels.items())
        print(s.name, labels, int(s.value), sep="|")
