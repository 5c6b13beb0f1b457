#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run_vision.sh CASE - the vision sample as a user runs it: `quark serve` with the sample's own configuration.
# Folders for state, cache and output are made anew for each case, so that cases may run side by side.
set -eu
build=${QUARK_BUILD_DIR:?} source=${QUARK_SOURCE_DIR:?}
quark=$build/bin/quark
folder=$(mktemp -d "${TMPDIR:-/tmp}/quark-vision-XXXXXX")
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/data"

fail()
{
    echo "FAILED: $*" >&2
    cat "$folder"/*.log >&2
    exit 1
}

# serve NAME [OPTION...]: runs once; the log is NAME.log, the report and pictures are in NAME/.
serve()
{
    local name=$1 code=0

    shift
    timeout 200 "$quark" serve --config "$source/samples/vision/quark.yaml" --once \
        --set http.port=0 --set host.state_folder="$folder/state" --set host.cache_folder="$folder/cache" \
        --set modules.vision.out="$folder/$name" "$@" > "$folder/$name.log" 2>&1 || code=$?
    return "$code"
}

expect()
{
    grep -q -- "$2" "$folder/$1.log" || fail "$1 does not say '$2'"
}

# Five seconds of a few cameras: three are visited, one in vain, one unannounced.
short_day()
{
    cat > "$folder/day.csv" <<'CSV'
timestamp_ms,trigger_stream,trigger_key,value,actor_key
0,sensors/motion,gate,0.9,
1000,,,,gate
1200,sensors/motion,yard,0.9,
1500,,,,yard
1800,sensors/motion,roof,0.9,
3000,,,,door
4500,sensors/motion,gate,0.8,
4800,,,,gate
5000,,,,yard
CSV
}

# Share of digits read right, in whole per cent.
right_share()
{
    sed -n 's/^digits  *\([0-9]*\).*read right.*/\1/p' "$folder/$1.log"
}

need_faces()
{
    if [ ! -f "${QUARK_DATA_DIR:-}/models/face-detector/version-slim-320.onnx" ]; then
        echo "QUARK_DATA_DIR names no folder with the face detector"
        if [ "${CI:-}" = true ]; then exit 1; else exit 77; fi
    fi
}

case_digits()
{
    serve first --set modules.vision.seed=3 --set modules.vision.speed=9000 || fail "exit code $?"
    expect first 'pre-warms  *[0-9]'
    [ "$(right_share first)" -ge 95 ] || fail "reads $(right_share first) % right"
    grep -q 'data:image/png;base64,' "$folder/first/report.html" || fail "no pictures in the report"
    [ "$(find "$folder/first/pictures" -name '*.png' | wc -l)" -eq 12 ] || fail "not one picture for each camera"
}

case_state_is_found_again()
{
    short_day
    serve first --set modules.vision.events="$folder/day.csv" || fail "exit code $?"
    expect first 'frames  *5 in this run, 5 in all runs'
    serve second --set modules.vision.events="$folder/day.csv" || fail "exit code $?"
    expect second 'frames  *5 in this run, 10 in all runs'
}

case_waste_and_misses_are_counted()
{
    # Once before, so that no program is left to be compiled: a frame that waits for that would keep its camera awake.
    printf '%s\n' timestamp_ms,trigger_stream,trigger_key,value,actor_key 0,,,,gate > "$folder/one.csv"
    serve before --set modules.vision.events="$folder/one.csv" || fail "exit code $?"
    short_day
    serve day --set modules.vision.events="$folder/day.csv" || fail "exit code $?"
    # camera, motions, frames, cold, joined, pre-warmed, hits, misses, waste; times are one word here
    sed 's/ \(m*s\)  */\1 /g; s/  */ /g' "$folder/day.log" > "$folder/day.words.log"
    expect day.words '^roof 1 0 none none none 0 0 1 '           # woken in vain
    expect day.words '^door 0 1 [0-9.]*m*s none none 0 1 0 '     # nothing announced it
    expect day.words '^gate 2 2 none .* 2 0 0 '                  # hits, twice
}

# Without OpenCL the same digits are found, and the run says so.
case_no_device()
{
    mkdir "$folder/no-icd"
    short_day
    serve device --set modules.vision.events="$folder/day.csv" || fail "exit code $?"
    OCL_ICD_VENDORS=$folder/no-icd serve cpu --set modules.vision.events="$folder/day.csv" \
        --set host.state_folder="$folder/other" || fail "exit code $?"
    expect cpu 'notice  *The CPU read 5 of 5 frames; the first time because: .*no device but the CPU'
    for name in device cpu; do
        cut -d, -f1-4,6- "$folder/$name/sightings.csv" | sort > "$folder/$name.sorted"
    done
    cmp "$folder/device.sorted" "$folder/cpu.sorted" || fail "other digits on the CPU"
    [ "$(wc -l < "$folder/cpu.sorted")" -gt 10 ] || fail "hardly any digits"
}

# A device that is lost, or gets no memory, in the middle of the day: the CPU goes on, with the same digits.
case_device_faults()
{
    short_day
    serve cpu --set modules.vision.events="$folder/day.csv" --set devices.opencl=no || fail "exit code $?"
    sort "$folder/cpu/sightings.csv" | cut -d, -f1-4,6- > "$folder/cpu.sorted"
    for fault in lost-at:4 alloc-fail:3; do
        printf 'devices:\n  - {id: gpu, memory: 64MiB, faults: ["%s"]}\n' "$fault" > "$folder/machine.yaml"
        serve "$fault" --set modules.vision.events="$folder/day.csv" --set devices.opencl=no \
            --simulate "$folder/machine.yaml" --set host.state_folder="$folder/$fault.state" || fail "$fault: exit code $?"
        sort "$folder/$fault/sightings.csv" | cut -d, -f1-4,6- > "$folder/$fault.sorted"
        cmp "$folder/cpu.sorted" "$folder/$fault.sorted" || fail "$fault: other digits"
        expect "$fault" 'goes on on the CPU'
    done
    expect lost-at:4 'notice  *The CPU read .* of 5 frames; the first time because: .*lost'
}

# A picture from outside, and one that is none.
case_own_pictures()
{
    mkdir "$folder/frames"
    cp "$source/samples/vision/digits.png" "$folder/frames/sheet.png"
    head -c 200 "$source/samples/vision/digits.png" > "$folder/frames/broken.png"
    short_day
    serve own --set modules.vision.events="$folder/day.csv" --set modules.vision.frames="$folder/frames" || fail "exit code $?"
    expect own 'frame left out: .*broken.png'
    expect own 'digits  *[0-9]* found'
}

case_mistakes_are_told()
{
    local code

    while IFS='|' read -r option wanted text; do
        code=0
        serve mistake --set "modules.vision.$option" || code=$?
        [ "$code" -eq "$wanted" ] || fail "$option: exit code $code, not $wanted"
        [ "$(wc -l < "$folder/mistake.log")" -le 3 ] || fail "$option: more than a few lines"
        expect mistake "$text"
    done <<'CASES'
setting=cats|2|'cats' is neither digits nor faces
colour=red|2|colour
cameras=0|2|cameras
cameras=many|2|cameras
speed=-1|2|speed
idle=soon|2|idle
events=/nowhere/day.csv|2|/nowhere/day.csv
frames=/nowhere|2|/nowhere
sheet=/nowhere/sheet.png|2|/nowhere/sheet.png
out=/dev/null/out|3|/dev/null
CASES
}

# faces CASE [OPTION...]: photographs of which one shows a face and two show none.
faces()
{
    local name=$1

    shift
    need_faces
    mkdir -p "$folder/frames"
    for photo in astronaut.png brick.png china.jpg; do
        cp "$QUARK_DATA_DIR/images/photos/$photo" "$folder/frames/"
    done
    serve "$name" --set modules.vision.setting=faces --set modules.vision.frames="$folder/frames" "$@" || fail "exit code $?"
}

case_faces()
{
    short_day
    faces faces --set modules.vision.events="$folder/day.csv"
    expect faces 'faces  *[1-9][0-9]* found'
    for photo in astronaut brick china; do
        ls "$folder/faces/pictures/"*"$photo"* > /dev/null || fail "no picture of $photo"
    done
    # One face, where it is, each time that its photograph came; none elsewhere.
    awk -F, 'NR > 1 && ($3 != "astronaut.png" || $6 < 165 || $6 > 195 || $7 < 45 || $7 > 80 || $8 < 75 || $8 > 110 ||
                        $9 < 95 || $9 > 130) { print; wrong = 1 } END { exit wrong || NR < 2 }' \
        "$folder/faces/sightings.csv" || fail "not the one face where it is"
    [ "$(cut -d, -f1,2 "$folder/faces/sightings.csv" | sort | uniq -d | wc -l)" -eq 0 ] || fail "a face found twice"
}

# Without OpenCL the same faces are found.
case_faces_without_device()
{
    mkdir "$folder/no-icd"
    short_day
    faces device --set modules.vision.events="$folder/day.csv"
    OCL_ICD_VENDORS=$folder/no-icd faces cpu --set modules.vision.events="$folder/day.csv"
    for name in device cpu; do
        awk -F, '{ printf "%s %s %s", $1, $2, $3; for (i = 6; i <= 9; i++) printf " %.0f", $i / 4; print "" }' \
            "$folder/$name/sightings.csv" | sort > "$folder/$name.sorted"
    done
    cmp "$folder/device.sorted" "$folder/cpu.sorted" || fail "other faces on the CPU"
}

case_faces_of_a_recorded_home()
{
    faces home --set modules.vision.speed=60000
    expect home 'fridge'
    expect home 'recorded sensors of a home'
}

"case_$1"
