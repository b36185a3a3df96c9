// Part of what shows the clip of "Inspect" in another tab: a clip that was still on its way when the tab was
// opened is taken when it arrives. Closed tabs wait until they are opened.
document.addEventListener("stam-shown", () => { if (root.isConnected && root.offsetParent) trigger("renew", {}); });
