/**
 * What a machine has, lacks and how to enable it, for people who want to earn with a GPU: as a confidential guest, or as the host
 * of one. Rules only; the description is an argument. Source: docs/evidence.md, "Preparing a machine".
 */
import { NVATTEST } from '../../tee/index.ts'
import type { Finding } from '../finding.ts'
import { finding } from '../finding.ts'
import type { Config } from '../schema.ts'
import type { MachineDescription } from './description.ts'

/** The kernel's report interface came with 6.7; hosts of SEV-SNP need 6.11, of TDX 6.16. */
const KERNEL = { reports: [6, 7], snpHost: [6, 11], tdxHost: [6, 16] } as const
const QEMU = { snp: [9, 1], tdx: [10, 1] } as const
/** The first driver whose GPUs attest in confidential mode. */
const DRIVER = [535, 0] as const

export function judgeMachine(machine: MachineDescription): readonly Finding[] {
  if (machine.kernel === null)
    return [finding('enclave', 'note', 'evidence is made on Linux only', 'run workers that earn in a Linux guest')]
  const guest = guestOf(machine)
  return guest === null ? hostFindings(machine) : [...guestFindings(machine, guest), ...gpuFindings(machine, true)]
}

type Guest = 'Intel TDX' | 'AMD SEV-SNP'

function guestOf({ devices, cpu, configfs }: MachineDescription): Guest | null {
  if (devices.includes('/dev/tdx_guest') || devices.includes('/dev/tdx-guest') || cpu.flags.includes('tdx_guest'))
    return 'Intel TDX'
  if (devices.includes('/dev/sev-guest')) return 'AMD SEV-SNP'
  // Drivers built in have the interface and no device.
  return configfs.hasReports ? (cpu.vendor === 'AuthenticAMD' ? 'AMD SEV-SNP' : 'Intel TDX') : null
}

function guestFindings(machine: MachineDescription, guest: Guest): Finding[] {
  const { kernel, configfs } = machine
  const findings = [finding('enclave', 'ok', `this is a confidential guest (${guest})`)]
  if (configfs.hasReports) findings.push(finding('evidence', 'ok', `configfs-tsm, Linux ${kernel}`))
  else if (!isAtLeast(versionIn(kernel ?? ''), KERNEL.reports))
    findings.push(
      finding(
        'evidence',
        'note',
        `Linux ${kernel} has no report interface (6.7 has)`,
        'use a newer kernel, or a program of your own that asks the device (docs/evidence.md)',
      ),
    )
  else if (!configfs.isMounted)
    findings.push(
      finding('evidence', 'note', 'configfs is not mounted', 'run: mount -t configfs none /sys/kernel/config'),
    )
  else
    findings.push(
      finding(
        'evidence',
        'note',
        'the kernel has no driver that answers',
        `run: modprobe ${guest === 'Intel TDX' ? 'tdx_guest' : 'sev-guest'} (the kernel needs CONFIG_TSM_REPORTS)`,
      ),
    )
  return findings
}

function hostFindings(machine: MachineDescription): Finding[] {
  const { cpu, kvm, kernel, qemu, devices } = machine
  if (cpu.flags.includes('hypervisor'))
    return [
      finding(
        'enclave',
        'note',
        'a virtual machine that is not confidential: evidence can only be simulated',
        'ask the provider for one with Intel TDX or AMD SEV-SNP',
      ),
      ...gpuFindings(machine, false),
    ]
  const isAmd = cpu.vendor === 'AuthenticAMD'
  const findings = isAmd ? snpHost(machine) : tdxHost(machine)
  const isHost = kvm.sevSnp === 'Y' || kvm.tdx === 'Y'
  if (isHost) {
    const wanted = isAmd ? QEMU.snp : QEMU.tdx
    const version = versionIn(qemu ?? '')
    findings.push(
      isAtLeast(version, wanted)
        ? finding('QEMU', 'ok', qemu ?? '')
        : finding(
            'QEMU',
            'note',
            qemu === null ? 'not installed' : `${qemu} cannot start such guests`,
            `install QEMU ${wanted.join('.')} or newer, with OVMF built for ${isAmd ? 'AmdSev' : 'TDX'}`,
          ),
    )
    if (machine.gpus.length > 0 && !devices.includes('/dev/vfio/vfio'))
      findings.push(
        finding('GPU passthrough', 'note', 'the kernel has no VFIO', 'run: modprobe vfio-pci, and bind the GPU to it'),
      )
  } else if (!devices.includes('/dev/kvm'))
    findings.push(finding('KVM', 'note', `Linux ${kernel} runs no guests`, 'turn on virtualisation in the BIOS'))
  return [...findings, ...gpuFindings(machine, false)]
}

function snpHost({ cpu, kvm, kernel }: MachineDescription): Finding[] {
  if (kvm.sevSnp === 'Y') return [finding('enclave', 'ok', 'this host can start SEV-SNP guests; run the node in one')]
  if (!cpu.flags.includes('sev_snp'))
    return [
      finding(
        'enclave',
        'note',
        `${cpu.model || 'the processor'} does not offer SEV-SNP`,
        'EPYC from Milan on: in the BIOS turn on SMEE, IOMMU, SEV-SNP and its RMP coverage, and a minimum SEV-ES ASID above 1',
      ),
    ]
  return [
    finding(
      'enclave',
      'note',
      'the processor offers SEV-SNP, the kernel does not use it',
      isAtLeast(versionIn(kernel ?? ''), KERNEL.snpHost)
        ? 'load kvm_amd with sev=1 sev_snp=1, start the kernel without iommu=pt, and look for "SEV-SNP" in dmesg'
        : `Linux ${KERNEL.snpHost.join('.')} or newer is needed, this is ${kernel}`,
    ),
  ]
}

function tdxHost({ cpu, kvm, kernel }: MachineDescription): Finding[] {
  if (kvm.tdx === 'Y') return [finding('enclave', 'ok', 'this host can start TDX guests; run the node in one')]
  if (!cpu.flags.includes('tdx_host_platform'))
    return [
      finding(
        'enclave',
        'note',
        `${cpu.model || 'the processor'} does not offer TDX`,
        'Xeon from Emerald Rapids on (Sapphire Rapids at some providers): in the BIOS turn on TME, TME-MT, TDX, the SEAM loader, and SGX with automatic registration',
      ),
    ]
  return [
    finding(
      'enclave',
      'note',
      'the processor offers TDX, the kernel does not use it',
      isAtLeast(versionIn(kernel ?? ''), KERNEL.tdxHost)
        ? 'load kvm_intel with tdx=1 and start the kernel with nohibernate; dmesg says whether the TDX module is initialized'
        : `Linux ${KERNEL.tdxHost.join('.')} or newer is needed, this is ${kernel}`,
    ),
  ]
}

/** GH100 has device ids 2300 to 23ff, GB100 and its relatives for servers 2900 to 29ff; both have a confidential mode. */
const isCapable = (id: string): boolean => /^10de:(?:23|29)/.test(id)

function gpuFindings(machine: MachineDescription, isGuest: boolean): Finding[] {
  const { gpus, nvidia } = machine
  if (gpus.length === 0) return []
  const capable = gpus.filter(({ id }) => isCapable(id))
  if (capable.length === 0)
    return [
      finding(
        'GPU mode',
        'note',
        `${gpus.map(({ id }) => id).join(', ')}: no confidential mode is known of`,
        'Hopper (H100, H200) and Blackwell (B200) for servers have one; others serve where evidence of GPUs is not demanded',
      ),
    ]
  if (!isGuest && capable.every(({ driver }) => driver === 'vfio-pci'))
    return [finding('GPU mode', 'ok', `${capable.length} GPU(s) are handed to guests; look at the mode inside one`)]
  return [driverFinding(machine), ...modeFindings(nvidia, isGuest), ...toolFindings(nvidia, isGuest)]
}

function driverFinding({ nvidia, gpus }: MachineDescription): Finding {
  const [, driver = '', vbios = ''] = nvidia.query?.trim().split('\n')[0]?.split(/,\s*/) ?? []
  if (nvidia.query === null)
    return finding(
      'GPU driver',
      'note',
      `${gpus.length} GPU(s), and nvidia-smi does not answer`,
      'install NVIDIA’s open kernel modules (the closed ones have no confidential mode)',
    )
  return isAtLeast(versionIn(driver), DRIVER)
    ? finding('GPU driver', 'ok', `${driver}, VBIOS ${vbios} (verifiers want NVIDIA’s manifests of both)`)
    : finding('GPU driver', 'note', `${driver} cannot attest`, 'install driver 550 or newer, with open kernel modules')
}

const CC_ON =
  'on the host, with the GPU unbound: nvidia_gpu_tools.py --set-cc-mode=on --reset-after-cc-mode-switch (NVIDIA/gpu-admin-tools), then start the guest again'

function modeFindings({ confidential, devTools }: MachineDescription['nvidia'], isGuest: boolean): Finding[] {
  if (confidential === null) return []
  const field = (name: string): string => new RegExp(`${name}\\s*:\\s*(.*)$`, 'm').exec(confidential)?.[1]?.trim() ?? ''
  const multi = field('Multi-GPU Mode')
  // Under Protected PCIe the state says OFF; the mode is what counts.
  const isOn = /^on$/i.test(field('CC State')) || /protected/i.test(multi)
  const mode = `${field('CC State') || 'unknown'}${multi === '' || /^none$/i.test(multi) ? '' : `, ${multi}`}`
  if (!isOn)
    return [
      finding(
        'GPU mode',
        'note',
        `confidential mode is ${mode}${isGuest ? '' : '; this is no confidential guest, so it could not be on'}`,
        CC_ON,
      ),
    ]
  const findings = [
    /on/i.test(devTools?.split(':').at(-1) ?? '')
      ? finding('GPU mode', 'note', 'confidential mode is on for development: others may look inside', CC_ON)
      : finding('GPU mode', 'ok', `confidential mode is ${mode}`),
  ]
  if (!/^ready$/i.test(field('CC GPUs Ready State')))
    findings.push(
      finding(
        'GPU state',
        'note',
        'the GPUs do not accept work yet',
        'run after attestation: nvidia-smi conf-compute -srs 1',
      ),
    )
  return findings
}

function toolFindings({ hasAttestationTool }: MachineDescription['nvidia'], isGuest: boolean): Finding[] {
  if (!isGuest) return []
  return [
    hasAttestationTool
      ? finding('GPU evidence', 'ok', 'nvattest answers')
      : finding(
          'GPU evidence',
          'note',
          'NVIDIA’s attestation tool (nvattest) is not installed',
          'install the NVIDIA Attestation SDK with its command line',
        ),
  ]
}

/** What a worker on this machine shows of its GPUs, and what is asked about those of others. */
export function judgeGpuSettings(
  { gpus, nvidia }: Pick<MachineDescription, 'gpus' | 'nvidia'>,
  { gpuSource, gpuCommand, nvidiaOcspServer }: GpuSettings,
): Finding[] {
  const about = 'GPU claims'
  const [program = ''] = gpuCommand
  const isCapableMachine = gpus.some(({ id }) => isCapable(id))
  return [
    ...(gpuSource === 'command'
      ? [
          program !== NVATTEST[0] || nvidia.hasAttestationTool
            ? finding(about, 'ok', `a worker takes them with ${program}, with every new certificate`)
            : finding(
                about,
                'note',
                `attestation.gpuSource is set, and ${program} does not answer: the worker will not start`,
                'install the NVIDIA Attestation SDK with its command line, or name another tool in attestation.gpuCommand',
              ),
        ]
      : isCapableMachine
        ? [
            finding(
              about,
              'note',
              'a worker here does not show its GPUs: proxies that demand them refuse it',
              'set attestation.gpuSource to command',
            ),
          ]
        : []),
    ...(nvidiaOcspServer === 'off'
      ? [
          finding(
            'GPU revocation',
            'note',
            'NVIDIA is not asked which GPUs are revoked: policies that demand the answer refuse all of them',
            'leave attestation.nvidiaOcspServer at its default, or name a caching service',
          ),
        ]
      : []),
  ]
}

export type GpuSettings = Pick<Config['attestation'], 'gpuSource' | 'gpuCommand' | 'nvidiaOcspServer'>

type Version = readonly [number, number]

/** The first `1.2` in a text; 0.0 where there is none. */
function versionIn(text: string): Version {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? []
  return [Number(major), Number(minor)]
}

const isAtLeast = ([major, minor]: Version, [wantedMajor, wantedMinor]: Version): boolean =>
  major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
