// What waits for its signer: the signed text can be copied.

import { wireCopyButtons } from "./page.js";

wireCopyButtons();
