/**
 * Finds a connection on which comms work at once, even to a kernel that runs a cell.
 *
 * A page that is loaded while a cell runs asks its kernel what it is, and the question waits in the main shell until the
 * cell has ended. Until then JupyterLab holds back what is sent, for seconds, and drops what the kernel says on comms. So
 * a second connection is made, and the question is put there in a subshell, by way of the control channel that no cell
 * holds up.
 */

/** A kernel that is idle has answered by then, in milliseconds. */
const PATIENCE = 150;
/** A kernel that knows no subshells never answers to the wish for one. */
const LAST_PATIENCE = 2000;

/** The kernel itself once the page knows it, or a connection beside it while a cell keeps it from answering. */
export async function speaker(kernel: KernelConnection): Promise<KernelConnection> {
  const isKnown = kernel.info.then(() => true);
  const isConnected = connected(kernel).then(() => pause(PATIENCE));
  if (await Promise.race([isKnown, isConnected.then(() => false)])) return kernel;
  const beside = kernel.clone?.({ handleComms: true, commsOverSubshells: "perCommTarget" });
  if (beside !== undefined) {
    await connected(beside);
    if (await isAnswered(beside)) return beside;
    beside.dispose();
  }
  await isKnown;
  return kernel;
}

/** Have the kernel tell the page what it is from a subshell of its own. */
async function isAnswered(kernel: KernelConnection): Promise<boolean> {
  if (kernel.sendControlMessage === undefined || kernel.requestKernelInfo === undefined) return false;
  try {
    const made = kernel.sendControlMessage(controlMessage(kernel, "create_subshell_request", {}), true, true).done;
    const reply = await Promise.race([made, pause(LAST_PATIENCE).then(() => undefined)]);
    const subshell = reply?.content["subshell_id"];
    if (typeof subshell !== "string") return false;
    kernel.subshellId = subshell;
    const asked = kernel.requestKernelInfo(); // is sent within this call
    kernel.subshellId = null;
    await asked;
    kernel.sendControlMessage(controlMessage(kernel, "delete_subshell_request", { subshell_id: subshell }), true, true);
    return true;
  } catch (error) {
    console.info("flowbook: waits for the running cell.", error);
    return false;
  }
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
