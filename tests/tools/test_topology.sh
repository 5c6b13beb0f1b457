#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `quark topology` tells of this machine and of recorded ones, and how it refuses what is none.
. "$(dirname "$0")/program.sh"

expect 0 topology
says out '^this machine: [0-9]+ packages, [1-9][0-9]* cores'
says out '^ NUMA node [0-9]+: '
expect 0 topology --json
says out '"this_machine": true'

cat >two.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" allowed_cpuset="0x00000003" nodeset="0x00000001" complete_nodeset="0x00000001" allowed_nodeset="0x00000001" gp_index="1">
    <object type="NUMANode" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="2" local_memory="1073741824"/>
    <object type="Core" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="3">
      <object type="PU" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="4"/>
    </object>
    <object type="Core" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="5">
      <object type="PU" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="6"/>
    </object>
  </object>
</topology>
XML
expect 0 topology --xml two.xml
says out '^two.xml: .* 2 cores, 2 PUs, 1 NUMA nodes'
expect 0 topology --xml two.xml --json
says out '"this_machine": false'

refuses 2 'missing.xml' topology --xml missing.xml
sed 's/version="2.0"/version="9.0"/' two.xml >newer.xml
refuses 2 'newer.xml' topology --xml newer.xml
head -c 700 two.xml >truncated.xml
refuses 2 'truncated.xml' topology --xml truncated.xml
head -c 5000 /dev/urandom >random.xml
refuses 2 'random.xml' topology --xml random.xml
: >empty.xml
refuses 2 'empty.xml' topology --xml empty.xml
refuses 2 "$work" topology --xml "$work"
finish
