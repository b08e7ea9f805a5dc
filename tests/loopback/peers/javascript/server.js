// A DICOM server by another hand than pynetdicom's: takes C-STORE, C-ECHO and procedure steps (N-CREATE, N-SET).
//
// node server.js PORT RECORD ANSWERS ADDRESS: each request becomes a line of JSON in RECORD; ANSWERS is a JSON object with
// lists of statuses to give, by kind ("create", "set", "store"), the next one first; without one 0 is given.
'use strict';

const fs = require('fs');
const { Server, Scp, constants, responses, log } = require('dcmjs-dimse');

const { PresentationContextResult, SopClass, TransferSyntax } = constants;
const { CEchoResponse, CStoreResponse, NCreateResponse, NSetResponse } = responses;
const [port, record, answers, host] = process.argv.slice(2);
const STEP = SopClass.ModalityPerformedProcedureStep;
const STORAGE = '1.2.840.10008.5.1.4.1.1.';

log.level = 'error';

function next(kind) {
  const left = JSON.parse(fs.readFileSync(answers, 'utf8'));
  const status = (left[kind] || []).shift() || 0;
  fs.writeFileSync(answers, JSON.stringify(left));
  return status;
}

function note(kind, uid, status, request, syntax) {
  const dataset = request.getDataset();
  const line = { kind, uid, status, syntax, elements: dataset ? dataset.getElements() : null };
  if (kind === 'store') delete line.elements.PixelData;
  fs.appendFileSync(record, JSON.stringify(line) + '\n');
}

class Peer extends Scp {
  associationRequested(association) {
    this.association = association;
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id);
      const known = context.getAbstractSyntaxUid();
      if (known === STEP || known === SopClass.Verification || known.startsWith(STORAGE)) {
        context.setResult(PresentationContextResult.Accept, context.getTransferSyntaxUids()[0]);
      } else {
        context.setResult(PresentationContextResult.RejectAbstractSyntaxNotSupported);
      }
    }
    this.sendAssociationAccept();
  }

  answer(kind, uid, request, Response, callback) {
    const status = next(kind);
    const dataset = request.getDataset();
    note(kind, uid, status, request, dataset ? dataset.getTransferSyntaxUid() : '');
    const response = Response.fromRequest(request);
    response.setStatus(status);
    callback(response);
  }

  cEchoRequest(request, callback) {
    const response = CEchoResponse.fromRequest(request);
    response.setStatus(0);
    callback(response);
  }

  cStoreRequest(request, callback) {
    this.answer('store', request.getAffectedSopInstanceUid(), request, CStoreResponse, callback);
  }

  nCreateRequest(request, callback) {
    this.answer('create', request.getAffectedSopInstanceUid(), request, NCreateResponse, callback);
  }

  nSetRequest(request, callback) {
    this.answer('set', request.getRequestedSopInstanceUid(), request, NSetResponse, callback);
  }

  associationReleaseRequested() {
    this.sendAssociationReleaseResponse();
  }
}

const server = new Server(Peer);
server.on('networkError', (error) => process.stderr.write(`network: ${error}\n`));
server.listen(Number(port), { host });
