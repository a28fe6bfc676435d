/** What of a Linux machine decides whether it can prove itself, read from its files and tools. Looks only; changes nothing. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

export interface MachineDescription {
  /** `6.8.0-45-generic`; null where there is no Linux. */
  readonly kernel: string | null
  readonly cpu: { readonly vendor: string; readonly model: string; readonly flags: readonly string[] }
  /** Of those that matter here, with their paths. */
  readonly devices: readonly string[]
  readonly configfs: { readonly isMounted: boolean; readonly hasReports: boolean }
  /** Parameters of KVM's modules; null where the module is not loaded. */
  readonly kvm: { readonly sevSnp: string | null; readonly tdx: string | null }
  /** What `qemu-system-x86_64 --version` says; null where there is none. */
  readonly qemu: string | null
  readonly gpus: readonly {
    /** `10de:2330` */
    readonly id: string
    readonly address: string
    /** `nvidia`, `vfio-pci`; null where none is bound. */
    readonly driver: string | null
  }[]
  readonly nvidia: {
    /** A line a GPU: name, driver, VBIOS. */
    readonly query: string | null
    /** `nvidia-smi conf-compute -q`. */
    readonly confidential: string | null
    /** `nvidia-smi conf-compute -d`. */
    readonly devTools: string | null
    /** NVIDIA's attestation tool is there. */
    readonly hasAttestationTool: boolean
  }
}

export interface MachineDeps {
  /** `/`; tests have a folder that looks like one. */
  readonly root: string
  /** What a program prints; null where it is missing or fails. */
  readonly run: (program: string, args: readonly string[]) => Promise<string | null>
}

const DEVICES = ['tdx_guest', 'tdx-guest', 'sev-guest', 'sev', 'kvm', 'vfio/vfio', 'nvidiactl']
const NVIDIA = '0x10de'
/** PCI classes of displays and of accelerators that are none. */
const GPU_CLASS = /^0x03|^0x12/
const TOOL_TIMEOUT_MS = 10_000

/** A program of this machine, with a bound on its time. */
export async function runTool(program: string, args: readonly string[]): Promise<string | null> {
  try {
    return (await promisify(execFile)(program, [...args], { timeout: TOOL_TIMEOUT_MS })).stdout
  } catch {
    return null
  }
}

export async function describeMachine({ root, run }: MachineDeps): Promise<MachineDescription> {
  const text = (path: string): string | null => {
    try {
      return readFileSync(join(root, path), 'utf8').trim()
    } catch {
      return null
    }
  }
  const cpuinfo = text('proc/cpuinfo') ?? ''
  const field = (name: string): string => new RegExp(`^${name}\\s*:(.*)$`, 'm').exec(cpuinfo)?.[1]?.trim() ?? ''
  const gpus = gpusBelow(join(root, 'sys/bus/pci/devices'))
  const smi = (...args: readonly string[]): Promise<string | null> => run('nvidia-smi', args)
  return {
    kernel: text('proc/sys/kernel/osrelease'),
    cpu: { vendor: field('vendor_id'), model: field('model name'), flags: field('flags').split(/\s+/).filter(Boolean) },
    devices: DEVICES.filter((name) => existsSync(join(root, 'dev', name))).map((name) => `/dev/${name}`),
    configfs: {
      isMounted: /\sconfigfs\s/.test(text('proc/mounts') ?? ''),
      hasReports: existsSync(join(root, 'sys/kernel/config/tsm/report')),
    },
    kvm: {
      sevSnp: text('sys/module/kvm_amd/parameters/sev_snp'),
      tdx: text('sys/module/kvm_intel/parameters/tdx'),
    },
    qemu: (await run('qemu-system-x86_64', ['--version']))?.split('\n')[0] ?? null,
    gpus,
    nvidia: {
      query: await smi('--query-gpu=name,driver_version,vbios_version', '--format=csv,noheader'),
      confidential: await smi('conf-compute', '-q'),
      devTools: await smi('conf-compute', '-d'),
      hasAttestationTool: (await run('nvattest', ['version'])) !== null,
    },
  }
}

function gpusBelow(folder: string): MachineDescription['gpus'] {
  const read = (address: string, name: string): string => {
    try {
      return readFileSync(join(folder, address, name), 'utf8').trim()
    } catch {
      return ''
    }
  }
  const driverOf = (address: string): string | null => {
    try {
      return basename(readlinkSync(join(folder, address, 'driver')))
    } catch {
      return null
    }
  }
  let addresses: string[] = []
  try {
    addresses = readdirSync(folder).toSorted()
  } catch {
    return []
  }
  return addresses
    .filter((address) => read(address, 'vendor') === NVIDIA && GPU_CLASS.test(read(address, 'class')))
    .map((address) => ({
      id: `10de:${read(address, 'device').replace(/^0x/, '')}`,
      address,
      driver: driverOf(address),
    }))
}
