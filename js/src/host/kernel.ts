/**
 * Gets to know a kernel that is busy.
 *
 * A page that is loaded while a cell runs asks its kernel what it is, and the question waits in the main shell until the
 * cell has ended; without the answer JupyterLab drops what the kernel says on comms. So the question is put once more,
 * in a subshell made for it by way of the control channel, which no cell holds up.
 */

/** A kernel that is idle has answered by then, in milliseconds. */
const PATIENCE = 150;
/** A kernel that knows no subshells never answers to the wish for one. */
const LAST_PATIENCE = 2000;

/** Wait until the page knows what the kernel is. */
export async function known(kernel: KernelConnection): Promise<void> {
  const info = kernel.info.then(() => true);
  if (await Promise.race([info, pause(PATIENCE).then(() => false)])) return;
  await connected(kernel);
  if (!(await Promise.race([info, pause(PATIENCE).then(() => false)]))) {
    await askBeside(kernel).catch((error: unknown) => console.info("flowbook: waits for the running cell.", error));
  }
  await info;
}

async function askBeside(kernel: KernelConnection): Promise<void> {
  if (kernel.sendControlMessage === undefined || kernel.requestKernelInfo === undefined) return;
  const made = kernel.sendControlMessage(controlMessage(kernel, "create_subshell_request", {}), true, true).done;
  const reply = await Promise.race([made, pause(LAST_PATIENCE).then(() => undefined)]);
  const subshell = reply?.content.subshell_id;
  if (typeof subshell !== "string") return;
  const before = kernel.subshellId ?? null;
  kernel.subshellId = subshell;
  const asked = kernel.requestKernelInfo(); // is sent within this call
  kernel.subshellId = before;
  await asked;
  kernel.sendControlMessage(controlMessage(kernel, "delete_subshell_request", { subshell_id: subshell }), true, true);
}

function controlMessage(kernel: KernelConnection, type: string, content: unknown): KernelMessage {
  const header = {
    date: new Date().toISOString(),
    msg_id: crypto.randomUUID(),
    msg_type: type,
    session: kernel.clientId ?? "",
    username: kernel.username ?? "",
    version: "5.2",
  };
  return { header, parent_header: {}, metadata: {}, content, channel: "control", buffers: [] };
}

async function connected(kernel: KernelConnection): Promise<void> {
  if (kernel.connectionStatus === undefined || kernel.connectionStatus === "connected") return;
  await new Promise<void>((resolve) => {
    const look = (_: unknown, status: string): void => {
      if (status !== "connected") return;
      kernel.connectionStatusChanged.disconnect(look);
      resolve();
    };
    kernel.connectionStatusChanged.connect(look);
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
