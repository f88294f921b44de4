// The page without a server: the visitor first, then the page as the server has it. Next: visitor.js

import * as visitor from "./visitor.js";
import * as page from "./page.js";
