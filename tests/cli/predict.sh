#!/bin/sh
# realizar fit and predict: tables in, models out, answers in every form, what is refused.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc
iris=models/data/iris.csv model=$work/iris.apr

try fit logistic $iris --target species --out "$model"
is "fit: exit code" $rc 0
has "fit: the score" "$(out)" "test score of 30 rows: 93.33% right"
has "fit: a table" "$(out)" "versicolor      0      8      2"
cp "$model" "$work/first.apr"
try fit logistic $iris --target 5 --out "$model"
check "twice the same bytes" cmp -s "$model" "$work/first.apr"
try fit logistic $iris --target last --seed 2 --out "$model"
check "another seed, other bytes" [ "$(cmp "$model" "$work/first.apr")" != "" ]
cp "$work/first.apr" "$model"
try fit forest models/data/wine.csv --target cultivar --trees 20 --json
is "fit --json: rows" "$(json .test_rows)" 36
is "fit --json: a row of the table" "$(json '.confusion#')" 3
try fit linear models/data/wine.csv --target alcohol --test 0
has "fit: a value" "$(out)" "score on the same rows, of 178 rows: root mean square error"
try fit kmeans $iris --target species
has "fit: clusters" "$(out)" "clusters, by answer:"
printf '1,2\n3,4\n5,6\n' >"$work/plain.csv"
try fit kmeans "$work/plain.csv" --clusters 2 --test 0
has "fit: no answers" "$(out)" "none, there are no answers"

try predict "$model" --features 5.1,3.5,1.4,0.2 -f 6.3,2.9,5.6,1.8
is "two rows" "$(out)" "setosa
virginica"
try predict "$model" --features 5.1,3.5,1.4,0.2 --proba
has "probabilities: head" "$(out)" "prediction,setosa,versicolor,virginica"
has "probabilities: row" "$(out)" "setosa,0.99"
try predict "$model" --csv $iris --target species
is "a file: lines" "$(wc -l <"$work/out" | tr -d ' ')" 150
is "a file: right answers" "$(err)" "right: 146 of 150 (97.33%)"
sed 's/,[a-z_]*$//' $iris >"$work/x.csv"
cp "$work/out" "$work/lines"
input=$work/x.csv
try predict "$model" --csv -
input=
check "the same without answers, from standard input" cmp -s "$work/out" "$work/lines"
echo '{"features":[5.1,3.5,1.4,0.2],"options":{"return_probabilities":true}}' >"$work/one"
try predict "$model" --json "$work/one"
is "a request: label" "$(json .label)" setosa
is "a request: probabilities" "$(json '.probabilities#')" 3
echo '{"instances":[{"features":[5.1,3.5,1.4,0.2]},{"features":[6,3,5,2]}]}' >"$work/two"
try predict "$model" --json "$work/two"
is "a batch: the second" "$(json '.predictions[1].prediction')" 2

try info "$model"
has "info: kind" "$(out)" "NeuralSequential (type 0x20), 15 parameters"
try info "$model" --json
is "info --json: inputs" "$(json .inputs)" 4
is "info --json: labels" "$(json '.metadata.labels[2]')" virginica

refused "no model" 2 "no model" predict
refused "no rows" 2 "no rows" predict "$model"
refused "two sources" 2 "rows from one place" predict "$model" --features 1 --csv $iris
refused "too few features" 1 "3 features, expected 4" predict "$model" --features 1,2,3
refused "no number" 1 "--features: expected numbers" predict "$model" -f a,b,c,d -f 1,2,3,4
refused "text" 1 "takes numbers, not text" predict "$model" --text hello
echo '{"instances":[{"features":[1,2,3,4]},{"features":[1]}]}' >"$work/bad"
refused "a bad instance" 1 "instance 1: 1 features, expected 4" predict "$model" --json "$work/bad"
refused "no .apr" 1 "not an .apr file" predict models/demo.gguf --features 1
head -c 200 "$model" >"$work/cut.apr"
refused "cut short" 1 "200 bytes, but its head says 264" predict "$work/cut.apr" --features 1
refused "cut short: info" 1 "200 bytes" info "$work/cut.apr"
refused "no such kind" 1 'no model is called "magic"' fit magic $iris --target last
refused "no such column" 1 'no column is called "petal"' fit tree $iris --target petal
refused "no table" 2 "name a kind of model and a table" fit tree
refused "no answers" 1 "tree needs answers" fit tree "$work/plain.csv"
finish
