"""Our template engine against python3-jinja2, set up as Hugging Face's transformers sets it up.

    python3 tests/e2e/jinja_peer.py CHECK    CHECK is the built tests/tool/check.c

Both render every snippet below and every template of tests/chat with every conversation; texts
must be equal, and where one refuses, the other must too. The last line counts.
"""
import datetime
import glob
import itertools
import json
import os
import random
import subprocess
import sys

try:
    import jinja2
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    print("skipped: python3-jinja2 is not installed")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_keep"), [], [], body).set_lineno(line)

    def _keep(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                    extensions=[Generation, "jinja2.ext.loopcontrols"])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)

VARS = {
    "n": 7, "neg": -3, "f": 2.5, "big": 1e20, "small": 1e-7, "t": True, "no": False, "z": None,
    "s": "Hello, Wörld", "empty": "", "pad": "  a b \n", "html": "<a href='x'>\"&\"</a>",
    "l": [3, 1, 2], "words": ["pear", "Apple", "fig"], "mixed": [1, "a", None, True, 2.0, [1], {"k": "v"}],
    "d": {"b": 1, "a": [1, 2], "c": {"x": "y"}, "items": "shadow"}, "nothing": [],
    "people": [{"name": "Bo", "age": 3, "in": {"x": 1}}, {"name": "al", "age": 12, "in": {"x": 0}},
               {"name": "Cy", "age": 3}],
    "emoji": "a😀é\u0007", "lines": "one\ntwo\r\nthree",
}

SNIPPETS = r"""
{{ n }} {{ neg }} {{ f }} {{ big }} {{ small }} {{ t }} {{ no }} {{ z }} {{ s }} {{ missing }}
{{ l }} {{ mixed }} {{ d }} {{ (1,) }} {{ (1, 'b') }} {{ [] }} {{ {} }} {{ () }}
{{ n + 1 * 2 - 3 }} {{ n / 2 }} {{ n // 2 }} {{ n % 4 }} {{ neg // 2 }} {{ neg % 5 }} {{ n ** 2 }} {{ 2 ** -1 }}
{{ neg % -2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 / 3 }} {{ 10 / 5 }} {{ 1e3 }} {{ 0.1 + 0.2 }} {{ 1.0e16 }} {{ 123456789012345680.0 }} {{ 0.0001 }} {{ 0.00001 }}
{{ 1 / 0 }}
{{ n % 0 }}
{{ 'a' + 1 }}
{{ 'a' ~ 1 ~ none ~ true }} {{ 'ab' * 3 }} {{ 3 * [1, 2] }} {{ 'x' * -1 }}|
{{ [1] + [2, 3] }} {{ 'a' 'b' "c" }} {{ 'it''s' }} {{ "q\"q\n\t\\ \x41 \u00e9" }}
{{ 1 < 2 <= 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ [1, 2] < [1, 3] }}
{{ 1 < 'a' }}
{{ missing == none }} {{ missing == missing }} {{ missing != 1 }} {{ none == none }}
{{ 2 in l }} {{ 9 not in l }} {{ 'ell' in s }} {{ 'b' in d }} {{ 'x' in nothing }} {{ 'q' in missing }}
{{ not 1 }} {{ not '' }} {{ 1 and 0 }} {{ 0 or 'x' }} {{ '' or none }} {{ not n == 7 }} {{ not (n == 7 and t) }}
{{ 'y' if t else 'n' }} {{ 'y' if no }}| {{ 'a' if no else 'b' if no else 'c' }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[-4:] }} {{ s[:-2] }} {{ s[10:100] }} {{ s[5:2] }}|{{ s[::2] }}
{{ l[0] }} {{ l[-1] }} {{ l[1:] }} {{ l[::-1] }} {{ l[5] }}| {{ l[:99] }} {{ l[-99:2] }} {{ l[2:0:-1] }}
{{ d.b }} {{ d['c'].x }} {{ d.c['x'] }} {{ d.missing }}| {{ d['items'] }} {{ d.get('b') }} {{ d.get('q', 5) }} {{ d.get('q') }}
{{ d.missing.deep }}
{{ missing.x }}
{{ missing() }}
{{ s() }}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %} {{ d.keys() | list }} {{ d.values() | list }}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}
{% for x in l if x > 1 %}{{ x }}/{{ loop.length }} {% else %}none{% endfor %}{% for x in nothing %}{{ x }}{% else %}empty{% endfor %}
{% for x in l %}{% for y in words %}{{ loop.depth }}{{ x }}{{ y }}{{ loop.cycle('a', 'b') }} {% endfor %}{{ loop.depth0 }}{% endfor %}
{% for x in [1, 1, 2] %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for c in s %}{{ c }}.{% endfor %} {% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %} {% for (a, b) in [(1, 2)] %}{{ a + b }}{% endfor %}
{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}
{% for x in 5 %}{% endfor %}
{{ range(3) | list }} {{ range(2, 8, 3) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }}
{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }} {% set ns = namespace(a=1, b='c') %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}
{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set c %}block {{ n }}{% endset %}[{{ c }}] {% set u | upper %}loud{% endset %}{{ u }}
{% set d.x = 1 %}
{% if no %}a{% elif z %}b{% elif n > 5 %}c{% else %}d{% endif %} {% if missing is defined %}x{% endif %}{% if not missing %}y{% endif %}
{% macro m(a, b=2, c='x') %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, c='z') }}{{ m(b=5, a=4) }}{{ m() }} {{ m(1) | upper }} {{ m(1) + '!' }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro fact(i) %}{% if i <= 1 %}1{% else %}{{ i }}*{{ fact(i - 1) }}{% endif %}{% endmacro %}{{ fact(5) }}
{% macro box(t) %}[{{ t }}: {{ caller() }}]{% endmacro %}{% call box('n') %}body {{ n }}{% endcall %}
{% macro each(l) %}{% for x in l %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(v) each([1, 2]) %}<{{ v }}>{% endcall %}
{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}| {% filter upper | replace('X', 'y') %}abx {{ n }}{% endfilter %}
{% raw %}{{ not this }} {% nor this %}{% endraw %} {# gone #}x{#- gone -#} y
{{ s | upper }} {{ s | lower }} {{ 'hELLO wORLD' | capitalize }} {{ "they're bill's o-k" | title }} {{ pad | trim }}| {{ 'xxaxx' | trim('x') }}
{{ s | length }} {{ l | count }} {{ d | length }} {{ '' | length }} {{ missing | length }}
{{ n | length }}
{{ words | join(', ') }} {{ l | join }} {{ people | join('/', attribute='name') }} {{ 'abc' | join('-') }}
{{ l | first }} {{ l | last }} {{ nothing | first }}| {{ s | first }} {{ s | last }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ people | sort(attribute='age') | map(attribute='name') | list }}
{{ mixed | sort }}
{{ l | reverse | list }} {{ 'abc' | reverse }} {{ [1, 2, 1, 3] | unique | list }} {{ ['a', 'A', 'b'] | unique | list }}
{{ l | sum }} {{ people | sum(attribute='age') }} {{ l | min }} {{ l | max }} {{ words | min }} {{ nothing | max }}|
{{ people | map(attribute='name') | list }} {{ people | map(attribute='in.x', default='-') | list }} {{ words | map('upper') | join }} {{ ['1', '2'] | map('int') | sum }}
{{ l | select('odd') | list }} {{ l | reject('>', 1) | list }} {{ people | selectattr('age', 'equalto', 3) | map(attribute='name') | list }} {{ people | rejectattr('in') | list | length }} {{ people | selectattr('in.x') | list | length }} {{ mixed | select | list | length }} {{ mixed | select('string') | list }}
{{ missing | default('dft') }} {{ '' | default('e', true) }} {{ z | d('x') }} {{ no | default('y', boolean=true) }} {{ missing | d }}|
{{ '42' | int }} {{ 'x' | int }} {{ 'x' | int(9) }} {{ 3.9 | int }} {{ -3.9 | int }} {{ '3.7' | int }} {{ ' 5 ' | int }} {{ '2.5' | float }} {{ 'q' | float }} {{ 3 | float }}
{{ -5 | abs }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.567 | round(2) }} {{ 2.1 | round(method='ceil') }} {{ 2.9 | round(0, 'floor') }} {{ 42 | round }}
{{ s | replace('l', 'L') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ s | string }} {{ n | string + '!' }} {{ l | string }} {{ 'abc' | list }} {{ d | list }}
{{ html | e }} {{ html | escape | length }} {{ 'a\nb\n\nc' | indent }}| {{ 'a\nb' | indent(2, true) }} {{ 'a\n\nb' | indent(1, blank=true) }}
{{ '%s is %d of %.2f%%' | format('x', 3, 2.5) }} {{ '%s-%s' % ('a', 1) }} {{ '%s' % 'z' }}
{{ 'a b  c' | wordcount }} {{ l | batch(2) | list }} {{ l | batch(2, 0) | list }} {{ d | dictsort | map(attribute=0) | list }} {{ {'b': 2, 'a': 1} | dictsort }} {{ {'x': 2, 'y': 1} | dictsort(by='value') }} {{ d | items | list | length }}
{% for k, g in people | groupby('age') %}{{ k }}:{{ g | map(attribute='name') | join(',') }} {% endfor %}
{{ d | tojson }} {{ mixed | tojson }} {{ emoji | tojson }} {{ html | tojson }} {{ s | tojson(ensure_ascii=true) }} {{ emoji | tojson(ensure_ascii=true) }}
{{ d | tojson(indent=2) }} {{ d | tojson(sort_keys=true) }} {{ d | tojson(separators=(',', ':')) }} {{ [] | tojson(indent=2) }} {{ {} | tojson(indent=4) }} {{ f | tojson }} {{ big | tojson }} {{ 3.0 | tojson }}
{{ missing | tojson }}
{{ s is string }} {{ n is number }} {{ t is number }} {{ n is integer }} {{ t is integer }} {{ f is float }} {{ t is boolean }} {{ d is mapping }} {{ l is sequence }} {{ s is iterable }} {{ n is iterable }} {{ z is none }} {{ t is true }} {{ 1 is true }} {{ no is false }} {{ missing is undefined }} {{ range is callable }}
{{ n is odd }} {{ n is not even }} {{ 9 is divisibleby 3 }} {{ n is eq 7 }} {{ n is ge(8) }} {{ 2 is in l }} {{ 5 is not in l }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'a' is sameas 'a' }} {{ n is equalto 7 and t }} {{ 1 + n is odd }}
{{ pad.strip() }}| {{ pad.lstrip() }}| {{ pad.rstrip() }}| {{ 'xyaxy'.strip('xy') }} {{ '\n\na'.lstrip('\n') }}
{{ 'a,b,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a b c'.split(none, 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ lines.splitlines() }} {{ 'a--b'.split('-') }}
{{ s.upper() }} {{ s.lower() }} {{ 'a b'.title() }} {{ 'aBC'.capitalize() }} {{ s.startswith('He') }} {{ s.endswith(('x', 'ld')) }} {{ s.find('W') }} {{ s.find('q') }} {{ s.rfind('l') }} {{ s.index('l') }} {{ s.count('l') }} {{ s.replace('l', '', 1) }} {{ '-'.join(words) }} {{ 'abc'.removeprefix('a').removesuffix('c') }}
{{ '12'.isdigit() }} {{ 'a1'.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ ''.isdigit() }} {{ '{} {1} {a} {{}}'.format(1, 2, a=3) }}
{{ '{} {} {a} {{}}'.format(1, 2, a=3) }} {{ l.index(1) }} {{ l.count(3) }} {{ [1, [2, [3]]] }} {{ {'a': {'b': none}} }} {{ 'it\'s' ~ ['it\'s', "q\"", 'b\\n\n'] }}
{{ l.append(4) }}
{{ s | nosuchfilter }}
{{ s is nosuchtest }}
{% nosuchtag %}
{{ 1 + }}
{% if x %}
{{ 'open }}
{% for x in l %}{{ x }}{% endif %}
{{ raise_exception('no thanks') }}
{% if n %}  
   text
{% endif %}
   {% if n -%}   
   text   
   {%- endif %}   after
  {%+ if n %} kept {% endif +%}
x
{{ n }}  {% if n %}y{% endif %}
	{# comment #}
end
a{% if n %}

b{% endif %}

c
{% for i in range(3) -%}
  {{ i }}
{%- endfor %}|
{{- n -}}   
   z {{ n }}
"""


def conversations():
    tool = {"type": "function", "function": {
        "name": "get_weather", "description": "Weather of a place & time",
        "parameters": {"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "description": "Town"},
            "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
            "days": {"type": "array", "items": {"type": "integer"}},
            "where": {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": ["number", "null"]}}},
            "when": {"oneOf": [{"type": "string"}, {"type": "integer", "default": 3}]}}}}}
    call = {"role": "assistant", "content": None, "tool_calls": [
        {"id": "abcdefghi", "type": "function",
         "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": [1, 2]}}}]}
    result = {"role": "tool", "tool_call_id": "abcdefghi", "content": "{\"t\": 3.5}"}
    user = {"role": "user", "content": "  How is \"the\" weather?\n"}
    system = {"role": "system", "content": "Be brief."}
    answer = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nFine."}
    lists = [
        [user],
        [system, user],
        [user, answer, user],
        [system, user, answer, user, answer],
        [system, user, call, result, answer, user],
        [user, call, result],
        [user, user],
        [{"role": "user", "content": [{"type": "text", "text": "hi "}, {"type": "image"}]}],
        [user, {"role": "assistant", "content": "x", "thinking": "y", "reasoning_content": "z"}],
        [{"role": "odd", "content": "x"}],
    ]
    for messages, tools, more in itertools.product(lists, (None, [tool], [tool, tool]), (True, False)):
        v = {"messages": messages, "tools": tools, "add_generation_prompt": more,
             "bos_token": "<s>", "eos_token": "</s>"}
        if len(messages) == 2:
            v["enable_thinking"] = False
        yield v


def cases():
    block = []
    for line in SNIPPETS.strip("\n").split("\n"):
        # Lines that begin with a blank, a letter or an indented tag belong to what is before them.
        block.append(line)
    single = [b for b in block if b.startswith("{")]
    for text in single:
        yield text, VARS
    yield "\n".join(block[block.index("{% if n %}  "):]) + "\n", VARS
    yield "\n".join(block[block.index("{% if n %}  "):]) + "\n\n", VARS
    for path in sorted(glob.glob("tests/chat/*.jinja")):
        with open(path, encoding="utf-8", newline="") as f:
            text = f.read()
        for v in conversations():
            yield text, v
        yield text.replace("\n", "\r\n"), {"messages": [{"role": "user", "content": "a\r\nb"}],
                                           "add_generation_prompt": True, "bos_token": "", "eos_token": ""}
    # Random arithmetic, comparisons and slices.
    rnd = random.Random(5)
    atoms = ["1", "0", "-2", "2.5", "n", "f", "s", "'a'", "l", "t", "none", "missing", "words", "''"]
    ops = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or", "is eq"]

    def expression(depth):
        if depth == 0 or rnd.random() < 0.2:
            return rnd.choice(atoms)
        kind = rnd.randrange(8)
        a = expression(depth - 1)
        if kind == 0:
            return "(%s)" % a
        if kind == 1:
            return "not %s" % a
        if kind == 2:
            return "%s[%d:%d:%d]" % (rnd.choice(["s", "l", "words"]), rnd.randint(-9, 9),
                                     rnd.randint(-9, 9), rnd.choice([-2, -1, 1, 2, 3]))
        if kind == 3:
            return "%s if %s else %s" % (a, rnd.choice(atoms), rnd.choice(atoms))
        b = expression(depth - 1)
        op = rnd.choice(ops)
        # "x is eq not y": there Jinja takes `not` for a variable.
        return "%s %s %s" % (a, op, "(%s)" % b if op == "is eq" else b)

    for _ in range(3000):
        yield "{{ %s }}" % expression(3), VARS


def peer(template, v):
    try:
        return {"out": env.from_string(template).render(**v)}
    except Exception as e:  # whatever Python says: the template is refused
        return {"error": "%s: %s" % (type(e).__name__, e)}


def main():
    todo = list(cases())
    asked = json.dumps([{"template": t, "vars": v} for t, v in todo])
    ours = subprocess.run([sys.argv[1], "jinja"], input=asked.encode(), stdout=subprocess.PIPE, check=True)
    answers = json.loads(ours.stdout)
    passed = failed = 0
    for (template, v), mine in zip(todo, answers):
        want = peer(template, v)
        good = mine.get("out") == want["out"] if "out" in want else "error" in mine
        passed += good
        failed += not good
        if not good and failed <= int(os.environ.get("SHOW", "10")):
            print("FAILED", json.dumps(template[:300]))
            print("   theirs", json.dumps(want, ensure_ascii=False)[:700])
            print("   ours  ", json.dumps(mine, ensure_ascii=False)[:700])
    if len(answers) != len(todo):
        failed += 1
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return failed != 0


sys.exit(main())
