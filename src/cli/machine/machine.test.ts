/** What `cocoon doctor` says of machines: read from folders that look like their file systems, judged by rules. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { describeMachine, type MachineDescription } from './description.ts'
import { judgeGpuSettings, judgeMachine } from './judge.ts'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

interface Machine {
  readonly files: Readonly<Record<string, string>>
  readonly links?: Readonly<Record<string, string>>
  /** What programs print, by their command line. */
  readonly tools?: Readonly<Record<string, string>>
}

function read({ files, links = {}, tools = {} }: Machine): Promise<MachineDescription> {
  const root = mkdtempSync(join(tmpdir(), 'cocoon-machine-'))
  folders.push(root)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root, path))
  return describeMachine({ root, run: async (program, args) => tools[[program, ...args].join(' ')] ?? null })
}

const cpuinfo = (vendor: string, model: string, flags: string): string =>
  `processor\t: 0\nvendor_id\t: ${vendor}\nmodel name\t: ${model}\nflags\t\t: fpu ${flags}\n`
const EPYC = (flags: string): string => cpuinfo('AuthenticAMD', 'AMD EPYC 9354 32-Core Processor', flags)
const XEON = (flags: string): string => cpuinfo('GenuineIntel', 'INTEL(R) XEON(R) PLATINUM 8580', flags)
const gpu = (device: string): Record<string, string> => ({
  'sys/bus/pci/devices/0000:01:00.0/vendor': '0x10de\n',
  'sys/bus/pci/devices/0000:01:00.0/device': `${device}\n`,
  'sys/bus/pci/devices/0000:01:00.0/class': '0x030200\n',
  'sys/bus/pci/devices/0000:00:1f.0/vendor': '0x8086\n',
  'sys/bus/pci/devices/0000:00:1f.0/class': '0x060100\n',
})
const DRIVER_AT = 'sys/bus/pci/devices/0000:01:00.0/driver'
const QUERY = 'nvidia-smi --query-gpu=name,driver_version,vbios_version --format=csv,noheader'
const state = (cc: string, multi: string, ready: string): string =>
  `==============NVSMI CONF-COMPUTE LOG==============\n\n    CC State                   : ${cc}\n    Multi-GPU Mode             : ${multi}\n    CPU CC Capabilities        : INTEL TDX\n    GPU CC Capabilities        : CC Capable\n    CC GPUs Ready State        : ${ready}\n`
const H100_TOOLS = {
  [QUERY]: 'NVIDIA H100 80GB HBM3, 550.90.07, 96.00.5E.00.01\n',
  'nvidia-smi conf-compute -q': state('ON', 'None', 'Ready'),
  'nvidia-smi conf-compute -d': 'DevTools Mode: OFF\n',
  'nvattest version': '{"nvattest": "1.0"}',
}
const TDX_GUEST: Machine = {
  files: {
    'proc/sys/kernel/osrelease': '6.8.0-45-generic\n',
    'proc/cpuinfo': XEON('hypervisor tdx_guest'),
    'proc/mounts': 'configfs /sys/kernel/config configfs rw 0 0\n',
    'dev/tdx_guest': '',
    'sys/kernel/config/tsm/report/.keep': '',
    ...gpu('0x2330'),
  },
  links: { [DRIVER_AT]: '../../drivers/nvidia' },
  tools: H100_TOOLS,
}

const say = async (machine: Machine): Promise<string[]> =>
  judgeMachine(await read(machine)).map(
    ({ about, verdict, what, mend }) => `${verdict} ${about}: ${what}${mend === '' ? '' : ` → ${mend}`}`,
  )
const without = (files: Readonly<Record<string, string>>, ...paths: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(files).filter(([path]) => !paths.includes(path)))

test('a TDX guest with a GPU in confidential mode has everything', async () => {
  expect(await say(TDX_GUEST)).toEqual([
    'ok enclave: this is a confidential guest (Intel TDX)',
    'ok evidence: configfs-tsm, Linux 6.8.0-45-generic',
    'ok GPU driver: 550.90.07, VBIOS 96.00.5E.00.01 (verifiers want NVIDIA’s manifests of both)',
    'ok GPU mode: confidential mode is ON',
    'ok GPU evidence: nvattest answers',
  ])
})

describe('a confidential guest that lacks something is told what', () => {
  test.each<[string, Partial<Record<string, string>>, readonly string[], RegExp]>([
    [
      'an old kernel',
      { 'proc/sys/kernel/osrelease': '6.5.0-35-generic\n' },
      ['sys/kernel/config/tsm/report/.keep'],
      /note evidence: Linux 6\.5\.0-35-generic has no report interface .*→ use a newer kernel/,
    ],
    [
      'no configfs',
      { 'proc/mounts': 'proc /proc proc rw 0 0\n' },
      ['sys/kernel/config/tsm/report/.keep'],
      /note evidence: configfs is not mounted → run: mount -t configfs/,
    ],
    ['no driver', {}, ['sys/kernel/config/tsm/report/.keep'], /note evidence: .*→ run: modprobe tdx_guest/],
  ])('%s', async (_, changed, removed, words) => {
    const files = { ...without(TDX_GUEST.files, ...removed), ...changed } as Record<string, string>
    expect((await say({ ...TDX_GUEST, files })).join('\n')).toMatch(words)
  })

  test.each<[string, Partial<Record<string, string>>, RegExp]>([
    [
      'GPU mode off',
      { 'nvidia-smi conf-compute -q': state('OFF', 'None', 'Ready') },
      /note GPU mode: confidential mode is OFF → .*--set-cc-mode=on/,
    ],
    [
      'development mode',
      { 'nvidia-smi conf-compute -d': 'DevTools Mode: ON\n' },
      /note GPU mode: .*others may look inside/,
    ],
    [
      'GPUs that are not ready',
      { 'nvidia-smi conf-compute -q': state('ON', 'None', 'Not Ready') },
      /note GPU state: .*-srs 1/,
    ],
    [
      'an old driver',
      { [QUERY]: 'NVIDIA H100 PCIe, 525.60.13, 96.00.30.00.01\n' },
      /note GPU driver: 525\.60\.13 cannot attest/,
    ],
    ['no driver', { [QUERY]: undefined as never }, /note GPU driver: .*nvidia-smi does not answer/],
    ['no attestation tool', { 'nvattest version': undefined as never }, /note GPU evidence: .*nvattest/],
  ])('%s', async (_, tools, words) => {
    const merged = { ...H100_TOOLS, ...tools } as Record<string, string>
    expect((await say({ ...TDX_GUEST, tools: merged })).join('\n')).toMatch(words)
  })

  test('Protected PCIe counts as confidential although its state says OFF', async () => {
    const tools = { ...H100_TOOLS, 'nvidia-smi conf-compute -q': state('OFF', 'Protected PCIe', 'Ready') }
    expect(await say({ ...TDX_GUEST, tools })).toContain('ok GPU mode: confidential mode is OFF, Protected PCIe')
  })
})

describe('a host', () => {
  const host = (
    cpu: string,
    more: Readonly<Record<string, string>> = {},
    tools: Readonly<Record<string, string>> = {},
  ): Machine => ({
    files: { 'proc/sys/kernel/osrelease': '6.17.0\n', 'proc/cpuinfo': cpu, 'dev/kvm': '', ...more },
    tools,
  })

  test.each<[string, Machine, RegExp]>([
    [
      'that starts SEV-SNP guests is good, and its GPU belongs to them',
      {
        ...host(
          EPYC('sev sev_es sev_snp'),
          { 'sys/module/kvm_amd/parameters/sev_snp': 'Y\n', 'dev/vfio/vfio': '', ...gpu('0x2335') },
          { 'qemu-system-x86_64 --version': 'QEMU emulator version 9.2.0\nCopyright\n' },
        ),
        links: { [DRIVER_AT]: '../../drivers/vfio-pci' },
      },
      /^ok enclave: this host can start SEV-SNP guests.*\nok QEMU: QEMU emulator version 9\.2\.0\nok GPU mode: 1 GPU\(s\) are handed to guests/,
    ],
    [
      'with SEV-SNP turned off in the BIOS is told the switches',
      host(EPYC('sev sev_es')),
      /note enclave: AMD EPYC 9354 .* does not offer SEV-SNP → .*BIOS turn on SMEE/,
    ],
    [
      'whose kernel does not use SEV-SNP is told the parameters',
      host(EPYC('sev sev_es sev_snp'), { 'sys/module/kvm_amd/parameters/sev_snp': 'N\n' }),
      /note enclave: the processor offers SEV-SNP.*→ load kvm_amd with sev=1 sev_snp=1/,
    ],
    [
      'with a kernel before 6.11 is told the version',
      host(EPYC('sev_snp'), { 'proc/sys/kernel/osrelease': '6.8.0\n' }),
      /Linux 6\.11 or newer is needed, this is 6\.8\.0/,
    ],
    [
      'with TDX turned off in the BIOS is told the switches',
      host(XEON('vmx')),
      /note enclave: .*8580 does not offer TDX → .*SEAM loader, and SGX/,
    ],
    [
      'that starts TDX guests with too old a QEMU is told the version',
      host(
        XEON('tdx_host_platform'),
        { 'sys/module/kvm_intel/parameters/tdx': 'Y\n' },
        { 'qemu-system-x86_64 --version': 'QEMU emulator version 8.2.2\n' },
      ),
      /ok enclave: this host can start TDX guests.*\nnote QEMU: .*8\.2\.2 cannot start such guests → install QEMU 10\.1/,
    ],
    [
      'with a GPU in the driver’s hands hears that the mode cannot be on',
      host(
        EPYC('sev_snp'),
        { 'sys/module/kvm_amd/parameters/sev_snp': 'Y\n', ...gpu('0x2330') },
        { ...H100_TOOLS, 'nvidia-smi conf-compute -q': state('OFF', 'None', 'Ready') },
      ),
      /GPU passthrough: the kernel has no VFIO.*[\s\S]*this is no confidential guest/,
    ],
    [
      'with another GPU hears which have a confidential mode',
      host(EPYC('sev'), gpu('0x2684')),
      /GPU mode: 10de:2684: no confidential mode is known of → Hopper/,
    ],
    [
      'without virtualisation hears of it',
      { files: without(host(XEON('fpu')).files, 'dev/kvm') },
      /KVM: Linux 6\.17\.0 runs no guests/,
    ],
  ])('%s', async (_, machine, words) => {
    expect((await say(machine)).join('\n')).toMatch(words)
  })

  test('that is itself a common virtual machine is told to ask its provider', async () => {
    expect(await say(host(XEON('hypervisor')))).toEqual([
      expect.stringMatching(/^note enclave: a virtual machine that is not confidential.*ask the provider/),
    ])
  })

  test('without Linux is told that evidence is made there', async () => {
    expect(await say({ files: {} })).toEqual([expect.stringMatching(/^note enclave: evidence is made on Linux only/)])
  })
})

describe('GPUs of a worker', () => {
  const off = { gpuSource: 'none', gpuCommand: ['nvattest'], nvidiaOcspServer: 'https://ocsp.ndis.nvidia.com' } as const
  const said = async (machine: Machine, over: object): Promise<string[]> =>
    judgeGpuSettings(await read(machine), { ...off, gpuCommand: [...off.gpuCommand], ...over }).map(
      ({ about, verdict, mend }) => `${about} ${verdict} ${mend}`,
    )
  const WITH_TOOL: Machine = { ...TDX_GUEST, tools: H100_TOOLS }

  test('that are not shown are told, with the setting that shows them', async () => {
    expect(await said(WITH_TOOL, {})).toEqual(['GPU claims note set attestation.gpuSource to command'])
    expect(await said({ files: {} }, {})).toEqual([])
  })

  test('are shown where the tool answers, and the worker that would not start is told', async () => {
    expect(await said(WITH_TOOL, { gpuSource: 'command' })).toEqual(['GPU claims ok '])
    const [missing] = await said({ ...TDX_GUEST, tools: {} }, { gpuSource: 'command' })
    expect(missing).toMatch(/^GPU claims note install .* attestation.gpuCommand$/)
    expect(await said({ files: {} }, { gpuSource: 'command', gpuCommand: ['mine'] })).toEqual(['GPU claims ok '])
  })

  test('cannot be used by a policy that demands answers nobody asks for', async () => {
    const [note] = await said({ files: {} }, { nvidiaOcspServer: 'off' })
    expect(note).toMatch(/^GPU revocation note .*nvidiaOcspServer/)
  })
})
